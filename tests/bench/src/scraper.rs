//! Who scrapes a server as Prometheus does: again and again, over one connection.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::failure::{Doing, Failure, Result};

const REQUEST: &[u8] =
    b"GET /metrics HTTP/1.1\r\nhost: localhost\r\naccept: text/plain;version=0.0.4\r\n\r\n";

/// A connection to a server.
#[derive(Debug)]
pub struct Scraper {
    reader: BufReader<TcpStream>,
}

impl Scraper {
    /// Connects.
    pub fn new(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).doing("connecting a scraper")?;
        stream.set_nodelay(true).doing("connecting a scraper")?;
        Ok(Self {
            reader: BufReader::new(stream),
        })
    }

    /// Asks for everything, and reads it to its end; gives how long that took, and how much it was.
    pub fn scrape(&mut self) -> Result<(Duration, usize)> {
        let doing = "scraping";
        let begun = Instant::now();
        self.reader.get_mut().write_all(REQUEST).doing(doing)?;
        let mut length = None;
        let mut is_good = false;
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).doing(doing)?;
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            is_good |= line.starts_with("http/1.1 200");
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse::<usize>().ok();
            }
        }
        let (true, Some(length)) = (is_good, length) else {
            return Err(Failure::new("a scrape got no metrics"));
        };
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).doing(doing)?;
        Ok((begun.elapsed(), length))
    }
}
