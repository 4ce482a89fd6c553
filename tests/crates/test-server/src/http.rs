//! HTTP/1.1 as far as tests need it: one request and one answer for each connection.

use std::io::{self, BufRead as _, BufReader, Read, Write};

/// The largest body that is read, in bytes; Vault's own bound.
const MAXIMUM_BODY: u64 = 32 << 20;

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST`, `LIST`, ….
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Headers in their order; names as they were written.
    pub headers: Vec<(String, String)>,
    /// The body, whole.
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// Its status code.
    pub status: u16,
    /// Headers in their order, without those that frame the body.
    pub headers: Vec<(String, String)>,
    /// The body, whole.
    pub body: Vec<u8>,
}

impl Request {
    /// Reads one; nothing when the other side closed the connection first.
    ///
    /// # Errors
    ///
    /// It broke off, or is no HTTP.
    pub fn read(stream: &mut impl Read) -> io::Result<Option<Self>> {
        let mut reader = BufReader::new(stream);
        let first = line(&mut reader)?;
        if first.is_empty() {
            return Ok(None);
        }
        let mut words = first.split(' ');
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return Err(broken("a request line"));
        };
        let headers = headers(&mut reader)?;
        let body = body(&mut reader, &headers, Some(0))?;
        Ok(Some(Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers,
            body,
        }))
    }

    /// The value of a header, by its name in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// Sends it to a server that is called so, and reads the answer.
    ///
    /// # Errors
    ///
    /// The connection broke, or the answer is no HTTP.
    pub fn send(&self, stream: &mut (impl Read + Write), host: &str) -> io::Result<Response> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in framed(&self.headers) {
            if !name.eq_ignore_ascii_case("host") {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        // Signatures cover the host that the client meant.
        let host = self.header("host").unwrap_or(host);
        text.push_str(&format!(
            "host: {host}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            self.body.len()
        ));
        stream.write_all(text.as_bytes())?;
        stream.write_all(&self.body)?;
        stream.flush()?;
        Response::read(stream)
    }
}

impl Response {
    /// An answer with a JSON body.
    #[must_use]
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.into().into_bytes(),
        }
    }

    /// The value of a header, by its name in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The same with a header, in place of another one of that name.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers
            .retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The answer as it goes over the wire.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {} Answer\r\n", self.status);
        for (name, value) in framed(&self.headers) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!(
            "content-length: {}\r\nconnection: close\r\n\r\n",
            self.body.len()
        ));
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    fn read(stream: &mut impl Read) -> io::Result<Self> {
        let mut reader = BufReader::new(stream);
        let first = line(&mut reader)?;
        let status = first.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.ok_or_else(|| broken("a status line"))?;
        let headers = headers(&mut reader)?;
        let length = matches!(status, 100..=199 | 204 | 304).then_some(0);
        let body = body(&mut reader, &headers, length)?;
        Ok(Self {
            status,
            headers,
            body,
        })
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut found = headers
        .iter()
        .filter(|(other, _)| other.eq_ignore_ascii_case(name));
    found.next().map(|(_, value)| value.as_str())
}

/// Headers without those that say how long a body is, which is written anew.
fn framed(headers: &[(String, String)]) -> impl Iterator<Item = &(String, String)> {
    const FRAMING: [&str; 5] = [
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "expect",
    ];
    headers
        .iter()
        .filter(|(name, _)| !FRAMING.iter().any(|other| name.eq_ignore_ascii_case(other)))
}

fn line(reader: &mut BufReader<impl Read>) -> io::Result<String> {
    let mut text = String::new();
    reader.read_line(&mut text)?;
    Ok(text.trim_end().to_owned())
}

fn headers(reader: &mut BufReader<impl Read>) -> io::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let text = line(reader)?;
        if text.is_empty() {
            return Ok(headers);
        }
        let (name, value) = text.split_once(':').ok_or_else(|| broken("a header"))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

/// The body; `otherwise` is its length where the headers say none, and nothing there means until the end.
fn body(
    reader: &mut BufReader<impl Read>,
    headers: &[(String, String)],
    otherwise: Option<u64>,
) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if find(headers, "transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        loop {
            let size = line(reader)?;
            let size = size.split(';').next().unwrap_or_default();
            let size = u64::from_str_radix(size, 16).map_err(|_| broken("a chunk"))?;
            reader.by_ref().take(size).read_to_end(&mut bytes)?;
            line(reader)?;
            if size == 0 || bytes.len() as u64 > MAXIMUM_BODY {
                return Ok(bytes);
            }
        }
    }
    let length = find(headers, "content-length").and_then(|text| text.parse().ok());
    let length = length.or(otherwise).unwrap_or(MAXIMUM_BODY);
    reader.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("this is not {what}"))
}
