//! The load generator: requests over persistent connections, with the latency of each.

use std::{
    io::{BufReader, Write},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};

use super::{
    figures::as_f64,
    http::{Message, read_message},
};

/// Timeout of one response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// The result of one run.
#[derive(Debug)]
pub(super) struct LoadResult {
    /// Wall time from the first request to the last response.
    pub(super) elapsed: Duration,
    /// The sorted latencies of all requests.
    latencies: Vec<Duration>,
}

impl LoadResult {
    /// Responses per second.
    pub(super) fn requests_per_second(&self) -> f64 {
        as_f64(self.latencies.len()) / self.elapsed.as_secs_f64()
    }

    /// The latency percentile in milliseconds.
    pub(super) fn percentile_ms(&self, percent: usize) -> f64 {
        let rank = (self.latencies.len() * percent)
            .div_ceil(100)
            .saturating_sub(1);
        self.latencies
            .get(rank)
            .map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
    }
}

/// The bytes of a request, and the text that its response must contain.
#[derive(Debug, Clone)]
pub(super) struct Request {
    bytes: Vec<u8>,
    expected: &'static str,
}

impl Request {
    /// A chat request with the tenant's key. Its response must contain `expected`.
    pub(super) fn chat(key: &str, body: &str, expected: &'static str) -> Self {
        let length = body.len();
        let bytes = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        Self {
            bytes: bytes.into_bytes(),
            expected,
        }
    }

    /// Adds headers in wire format.
    pub(super) fn with_headers(mut self, headers: &str) -> Self {
        if headers.is_empty() {
            return self;
        }
        let text = String::from_utf8_lossy(&self.bytes);
        self.bytes = text
            .replacen("\r\n\r\n", &format!("\r\n{headers}\r\n\r\n"), 1)
            .into_bytes();
        self
    }

    /// A GET request that accepts any response.
    pub(super) fn get(path: &str) -> Self {
        Self::get_expecting(path, "")
    }

    /// A GET request. Its response must contain `expected`.
    pub(super) fn get_expecting(path: &str, expected: &'static str) -> Self {
        Self {
            bytes: format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes(),
            expected,
        }
    }
}

/// Sends `total` requests over concurrent connections.
pub(super) fn run(
    address: SocketAddr,
    request: &Request,
    connections: usize,
    total: usize,
) -> Result<LoadResult> {
    let taken = AtomicUsize::new(0);
    let clients = (0..connections)
        .map(|_| Client::connect(address))
        .collect::<Result<Vec<_>>>()?;
    let started = Instant::now();
    let per_client = thread::scope(|scope| {
        let running: Vec<_> = clients
            .into_iter()
            .map(|mut client| {
                let taken = &taken;
                scope.spawn(move || {
                    let mut latencies = Vec::with_capacity(total / connections * 2);
                    while taken.fetch_add(1, Ordering::Relaxed) < total {
                        let sent = Instant::now();
                        client.request(request)?;
                        latencies.push(sent.elapsed());
                    }
                    Ok(latencies)
                })
            })
            .collect();
        running
            .into_iter()
            .map(|client| client.join().map_err(|_| anyhow!("a client panicked"))?)
            .collect::<Result<Vec<Vec<Duration>>>>()
    })?;
    let elapsed = started.elapsed();
    let mut latencies = per_client.concat();
    latencies.sort_unstable();
    Ok(LoadResult { elapsed, latencies })
}

/// Sends one request on a new connection.
pub(super) fn once(address: SocketAddr, request: &Request) -> Result<()> {
    Client::connect(address)?.request(request)
}

/// A persistent connection.
pub(super) struct Client {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
}

impl Client {
    pub(super) fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).context("can't connect to the Worker")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(RESPONSE_TIMEOUT))?;
        Ok(Self {
            writer: stream.try_clone()?,
            reader: BufReader::new(stream),
        })
    }

    fn request(&mut self, request: &Request) -> Result<()> {
        let response = self.send(request)?;
        let text = String::from_utf8_lossy(&response.body);
        if request.expected.is_empty()
            || (response.status() == Some(200) && text.contains(request.expected))
        {
            return Ok(());
        }
        bail!("the Worker responded `{}`: {text}", response.start)
    }

    /// Sends a request and returns any response.
    pub(super) fn send(&mut self, request: &Request) -> Result<Message> {
        self.writer.write_all(&request.bytes)?;
        read_message(&mut self.reader)
            .context("no complete response from the Worker")?
            .context("the Worker closed the connection")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::LoadResult;

    #[test]
    fn percentiles_are_measured_latencies() {
        let result = LoadResult {
            elapsed: Duration::from_secs(2),
            latencies: (1..=200).map(Duration::from_millis).collect(),
        };
        assert!((result.percentile_ms(50) - 100.0).abs() < 1e-9);
        assert!((result.percentile_ms(99) - 198.0).abs() < 1e-9);
        assert!((result.percentile_ms(100) - 200.0).abs() < 1e-9);
        assert!((result.requests_per_second() - 100.0).abs() < 1e-9);
    }
}
