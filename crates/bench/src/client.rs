//! A client that costs little, since it shares the cores with the server it measures: HTTP/1.1 by hand over one kept
//! connection, requests formatted beforehand, answers looked at no further than needed.

use crate::measure::Failure;
use crate::target::Target;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Bytes a connection reads at once.
const READ_BYTES: usize = 256 << 10;

/// One kept connection.
pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

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
        let stream: Box<dyn Stream> = match &target.tls {
            Some(tls) => {
                let host = target.authority.split(':').next().unwrap_or_default().to_owned();
                let tls = TlsConnector::from(tls.clone());
                Box::new(tls.connect(host.try_into()?, stream).await?)
            }
            None => Box::new(stream),
        };
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

    /// Whether the answer that came last has a header.
    pub(crate) fn has_header(&self, name: &str) -> bool {
        let head = find(&self.buffer, b"\r\n\r\n").and_then(|end| self.buffer.get(..end));
        let head = String::from_utf8_lossy(head.unwrap_or_default()).to_ascii_lowercase();
        head.lines().any(|line| line.split(':').next() == Some(name))
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

#[cfg(test)]
mod tests {
    use super::*;

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
