//! The load: so many requests over so many connections that are kept alive, with each latency kept.

use std::{
    io::{BufReader, Write},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};

use super::http::{Message, read_message};

/// How long a single answer may take before the run is given up.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What one run of load gave.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Wall time from the first request to the last answer.
    pub(super) elapsed: Duration,
    /// The latency of each request, shortest first.
    latencies: Vec<Duration>,
}

impl Outcome {
    /// Requests that were answered in a second.
    pub(super) fn requests_per_second(&self) -> f64 {
        super::as_f64(self.latencies.len()) / self.elapsed.as_secs_f64()
    }

    /// The latency that `percent` of the requests did not exceed, in milliseconds.
    pub(super) fn percentile_ms(&self, percent: usize) -> f64 {
        let rank = (self.latencies.len() * percent)
            .div_ceil(100)
            .saturating_sub(1);
        self.latencies
            .get(rank)
            .map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
    }
}

/// One request as bytes, and what its answer must contain to count.
#[derive(Debug, Clone)]
pub(super) struct Request {
    bytes: Vec<u8>,
    proof: &'static str,
}

impl Request {
    /// A chat request with the tenant's key. The answer must hold the text `proof`.
    pub(super) fn chat(key: &str, body: &str, proof: &'static str) -> Self {
        let length = body.len();
        let bytes = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        Self {
            bytes: bytes.into_bytes(),
            proof,
        }
    }

    /// The same with more headers, as they go on the wire.
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

    /// A request without a body; any answer will do.
    pub(super) fn get(path: &str) -> Self {
        Self::proven_get(path, "")
    }

    /// A request without a body. The answer must hold the text `proof`.
    pub(super) fn proven_get(path: &str, proof: &'static str) -> Self {
        Self {
            bytes: format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes(),
            proof,
        }
    }
}

/// Sends `total` requests over `connections` connections at once.
pub(super) fn run(
    address: SocketAddr,
    request: &Request,
    connections: usize,
    total: usize,
) -> Result<Outcome> {
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
                        client.ask(request)?;
                        latencies.push(sent.elapsed());
                    }
                    Ok(latencies)
                })
            })
            .collect();
        running
            .into_iter()
            .map(|client| {
                client
                    .join()
                    .map_err(|_| anyhow!("a client of the bench panicked"))?
            })
            .collect::<Result<Vec<Vec<Duration>>>>()
    })?;
    let elapsed = started.elapsed();
    let mut latencies = per_client.concat();
    latencies.sort_unstable();
    Ok(Outcome { elapsed, latencies })
}

/// Sends one request on a connection of its own.
pub(super) fn once(address: SocketAddr, request: &Request) -> Result<()> {
    Client::connect(address)?.ask(request)
}

/// A connection that is kept alive.
pub(super) struct Client {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
}

impl Client {
    pub(super) fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).context("the Worker's port doesn't answer")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self {
            writer: stream.try_clone()?,
            reader: BufReader::new(stream),
        })
    }

    fn ask(&mut self, request: &Request) -> Result<()> {
        let answer = self.answer(request)?;
        let text = String::from_utf8_lossy(&answer.body);
        if request.proof.is_empty()
            || (answer.status() == Some(200) && text.contains(request.proof))
        {
            return Ok(());
        }
        bail!("the Worker answered `{}`: {text}", answer.start)
    }

    /// The answer to a request, whatever it is.
    pub(super) fn answer(&mut self, request: &Request) -> Result<Message> {
        self.writer.write_all(&request.bytes)?;
        read_message(&mut self.reader)
            .context("no whole answer from the Worker")?
            .context("the Worker closed the connection")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Outcome;

    #[test]
    fn percentiles_are_latencies_that_occurred() {
        let outcome = Outcome {
            elapsed: Duration::from_secs(2),
            latencies: (1..=200).map(Duration::from_millis).collect(),
        };
        assert!((outcome.percentile_ms(50) - 100.0).abs() < 1e-9);
        assert!((outcome.percentile_ms(99) - 198.0).abs() < 1e-9);
        assert!((outcome.percentile_ms(100) - 200.0).abs() < 1e-9);
        assert!((outcome.requests_per_second() - 100.0).abs() < 1e-9);
    }
}
