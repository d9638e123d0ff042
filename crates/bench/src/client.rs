//! A client that costs little, since it shares the cores with the server it measures: HTTP/1.1 by hand over one kept
//! connection, requests formatted beforehand, answers looked at no further than needed.

use crate::measure::Failure;
use std::io::Write;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Bytes a connection reads at once.
const READ_BYTES: usize = 256 << 10;

/// Where a server is: `http://[user:password@]host:port[/prefix]`.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Host and port.
    pub(crate) authority: String,
    /// Path in front of every database, without a slash at its end.
    prefix: String,
    /// `user:password`.
    credentials: Option<String>,
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Target, Failure> {
        let rest = url
            .strip_prefix("http://")
            .ok_or_else(|| format!("{url}: only http:// URLs can be measured"))?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, authority) = match host.rsplit_once('@') {
            Some((credentials, authority)) => (Some(credentials.to_owned()), authority),
            None => (None, host),
        };
        let port = if authority.contains(':') { "" } else { ":80" };
        let path = path.trim_end_matches('/');
        Ok(Target {
            authority: format!("{authority}{port}"),
            prefix: if path.is_empty() {
                String::new()
            } else {
                format!("/{path}")
            },
            credentials,
        })
    }

    /// A database's URL, as one server names it to another.
    pub(crate) fn url(&self, database: &str) -> String {
        let credentials = self
            .credentials
            .as_ref()
            .map(|c| format!("{c}@"))
            .unwrap_or_default();
        format!("http://{credentials}{}{}/{database}", self.authority, self.prefix)
    }

    /// A request ready to be sent; `path` starts with a slash.
    pub(crate) fn request(&self, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(256 + body.len());
        // Writing to a Vec cannot fail.
        let _ = write!(
            out,
            "{method} {}{path} HTTP/1.1\r\nhost: {}\r\naccept: application/json\r\n",
            self.prefix, self.authority
        );
        if let Some(credentials) = &self.credentials {
            let _ = write!(out, "authorization: Basic {}\r\n", base64(credentials.as_bytes()));
        }
        if !body.is_empty() {
            let _ = write!(out, "content-type: application/json\r\n");
        }
        let _ = write!(out, "content-length: {}\r\n\r\n", body.len());
        out.extend_from_slice(body);
        out
    }
}

/// One kept connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer: its status, and its body as far as it was kept.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(target: &Target) -> Result<Connection, Failure> {
        let stream = TcpStream::connect(&target.authority).await?;
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream,
            buffer: Vec::with_capacity(4096),
        })
    }

    /// Sends a request and reads its whole answer; answers its status and the bytes of its body.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<(u16, &[u8]), Failure> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let (status, start, end) = loop {
            if let Some(done) = complete(&self.buffer)? {
                break done;
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the server closed the connection in the middle of an answer".into());
            }
        };
        Ok((status, self.buffer.get(start..end).unwrap_or_default()))
    }

    /// As [`Connection::send`], and anything but success is a failure.
    pub(crate) async fn expect(&mut self, request: &[u8]) -> Result<&[u8], Failure> {
        let (status, body) = self.send(request).await?;
        if !(200..300).contains(&status) {
            let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
            return Err(format!(
                "{}: {status} {}",
                String::from_utf8_lossy(line),
                String::from_utf8_lossy(body.get(..body.len().min(300)).unwrap_or_default())
            )
            .into());
        }
        Ok(body)
    }

    /// Sends a request for a long answer and reads it to its end, keeping only its tail; answers the bytes of its
    /// body (framing of chunks included, far below one percent) and the tail.
    pub(crate) async fn drain(mut self, request: &[u8]) -> Result<(u64, Vec<u8>), Failure> {
        // The connection's end marks the answer's, which saves looking at every chunk.
        let head_end = find(request, b"\r\n").ok_or("no request")?;
        let (line, rest) = request.split_at(head_end);
        self.stream
            .write_all(&[line, b"\r\nconnection: close", rest].concat())
            .await?;
        let mut buffer = vec![0; READ_BYTES];
        let (mut bytes, mut tail, mut head) = (0_u64, Vec::new(), true);
        loop {
            let read = self.stream.read(&mut buffer).await?;
            let data = buffer.get(..read).unwrap_or_default();
            if read == 0 {
                return Ok((bytes, tail));
            }
            if head && !data.starts_with(b"HTTP/1.1 200") {
                return Err(String::from_utf8_lossy(data).into_owned().into());
            }
            head = false;
            bytes += read as u64;
            tail.extend_from_slice(data.get(read.saturating_sub(256)..).unwrap_or_default());
            tail.drain(..tail.len().saturating_sub(256));
        }
    }
}

/// One request on a connection of its own, whatever the status.
pub(crate) async fn once(target: &Target, method: &str, path: &str, body: &[u8]) -> Result<Answer, Failure> {
    let mut connection = Connection::open(target).await?;
    let (status, body) = connection.send(&target.request(method, path, body)).await?;
    Ok(Answer {
        status,
        body: body.to_vec(),
    })
}

/// Status, start and end of the body, once the answer is there as a whole.
fn complete(buffer: &[u8]) -> Result<Option<(u16, usize, usize)>, Failure> {
    let Some(head_end) = find(buffer, b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(buffer.get(..head_end).unwrap_or_default())?;
    let status: u16 = head.get(9..12).ok_or("no status")?.parse()?;
    let start = head_end + 4;
    let header = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    };
    if let Some(length) = header("content-length") {
        let end = start + length.parse::<usize>()?;
        return Ok((buffer.len() >= end).then_some((status, start, end)));
    }
    if header("transfer-encoding").is_some() {
        return Ok(buffer
            .ends_with(b"0\r\n\r\n")
            .then_some((status, start, buffer.len())));
    }
    Ok(Some((status, start, start)))
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .chain(&[0, 0])
            .take(3)
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        for place in 0..4 {
            let digit = DIGITS.get((bits >> (18 - 6 * place)) as usize & 63).copied();
            out.push(if place <= group.len() {
                digit.map_or('=', char::from)
            } else {
                '='
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        let target = Target::parse("http://admin:secret@127.0.0.1:5984/couch/").unwrap();
        assert_eq!(
            target.url("cdrs"),
            "http://admin:secret@127.0.0.1:5984/couch/cdrs"
        );
        let request = String::from_utf8(target.request("GET", "/cdrs", b"")).unwrap();
        assert!(
            request.starts_with("GET /couch/cdrs HTTP/1.1\r\nhost: 127.0.0.1:5984\r\n"),
            "{request}"
        );
        assert!(
            request.contains("authorization: Basic YWRtaW46c2VjcmV0\r\n"),
            "{request}"
        );
        assert_eq!(
            Target::parse("http://localhost").unwrap().authority,
            "localhost:80"
        );
        assert!(Target::parse("https://localhost").is_err());
    }

    #[test]
    fn base64_pads() {
        for (text, expected) in [("", ""), ("a", "YQ=="), ("ab", "YWI="), ("abc", "YWJj")] {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }

    #[test]
    fn answers_end_where_they_say() {
        let sized = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(complete(sized).unwrap(), Some((201, 43, 45)));
        assert_eq!(complete(&sized[..44]).unwrap(), None);
        let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
        assert_eq!(complete(chunked).unwrap().unwrap().0, 200);
        assert_eq!(complete(&chunked[..chunked.len() - 2]).unwrap(), None);
    }
}
