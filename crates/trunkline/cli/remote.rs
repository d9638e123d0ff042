//! A database behind a URL, as far as the commands need it beside replication.

use super::Failure;
use super::trust;
use reqwest::{Client, Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A database behind a URL.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    client: Client,
    url: String,
}

/// The URL without user and password, to be shown.
pub(crate) fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((user, _)) => format!("{scheme}://{}", rest.get(user.len() + 1..).unwrap_or_default()),
        None => url.to_owned(),
    }
}

impl Remote {
    pub(crate) fn new(url: &str) -> Result<Remote, Failure> {
        Ok(Remote {
            client: trust::client()?,
            url: url.trim_end_matches('/').to_owned(),
        })
    }

    /// Creates the database; answers whether it was not there before.
    pub(crate) async fn create(&self) -> Result<bool, Failure> {
        let answer = self
            .client
            .put(&self.url)
            .header("Content-Length", 0)
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        match answer.status() {
            StatusCode::PRECONDITION_FAILED => Ok(false),
            status if status.is_success() => Ok(true),
            _ => Err(refusal(answer).await),
        }
    }

    /// Asks, and reads the JSON text that is answered. `path` goes behind the database's URL.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<String, Failure> {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body);
        }
        let answer = request
            .header("Accept", "application/json")
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        if !answer.status().is_success() {
            return Err(refusal(answer).await);
        }
        Ok(answer.text().await?)
    }

    /// Asks, and reads what is answered as a value.
    pub(crate) async fn ask_json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<T, Failure> {
        let answer = self.ask(method, path, body).await?;
        serde_json::from_str(&answer).map_err(|cause| {
            Failure::new(format!(
                "{}: there is no database, or none that this program knows: {cause}",
                without_credentials(&self.url)
            ))
        })
    }

    /// As [`Remote::ask_json`] with GET; `None` where there is nothing.
    pub(crate) async fn ask_if_there<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failure> {
        let asked = self.client.get(format!("{}{path}", self.url));
        let answer = asked.send().await.map_err(|error| self.unreachable(&error))?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some(serde_json::from_slice(&answer.bytes().await?)?)),
            _ => Err(refusal(answer).await),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let url = without_credentials(&self.url);
        let (_, place) = url.split_once("://").unwrap_or(("", &url));
        let host = place.split('/').next().unwrap_or_default();
        if let Some(why) = trust::explain(error, host).filter(|_| url.starts_with("https:")) {
            return Failure::new(format!("{url}: {why}"));
        }
        let mut cause: &dyn std::error::Error = error;
        while let Some(below) = cause.source() {
            cause = below;
        }
        Failure::new(format!("{url}: {cause}"))
    }
}

/// A name as one segment of a path.
pub(crate) fn escaped(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// A runtime for commands that talk to one server and do nothing else meanwhile.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}

/// The error that was answered, in one line.
async fn refusal(answer: reqwest::Response) -> Failure {
    let status = answer.status();
    let url = without_credentials(answer.url().as_str());
    let text = answer.text().await.unwrap_or_default();
    let json: Value = serde_json::from_str(&text).unwrap_or_default();
    let said = |member| json.get(member).and_then(Value::as_str).unwrap_or_default();
    match (said("error"), said("reason")) {
        ("", _) => Failure::new(format!("{url} answered {status}")),
        (error, reason) => Failure::new(format!("{url} answered {status}: {error}: {reason}")),
    }
}

#[cfg(test)]
mod tests {
    use super::without_credentials;

    #[test]
    fn credentials_are_not_shown() {
        assert_eq!(without_credentials("http://a:b@host/db"), "http://host/db");
        assert_eq!(without_credentials("http://host/db"), "http://host/db");
        assert_eq!(
            without_credentials("https://a:p@ss@host:1/a@b"),
            "https://host:1/a@b"
        );
    }
}
