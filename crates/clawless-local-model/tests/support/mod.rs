//! The server under test and a small client that can disconnect in the middle of an answer.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a failed test should show the location, and it runs natively"
)]

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A running server. It ends with the test.
pub(crate) struct Server {
    process: Child,
    address: String,
}

/// The model's name in the API.
pub(crate) const MODEL: &str = "tiny";

/// The path of the test model.
pub(crate) fn model_path() -> String {
    std::env::var("CLAWLESS_TEST_MODEL").expect(
        "CLAWLESS_TEST_MODEL must name the GGUF file of SmolLM2-135M-Instruct; `cargo xtask test` sets it",
    )
}

pub(crate) fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_clawless-local-model"))
}

impl Server {
    /// Starts `serve` and waits for its line on stdout.
    pub(crate) fn start(options: &[&str]) -> Self {
        let mut process = binary()
            .args(["serve", "--model", &model_path(), "--id", MODEL])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready: Value = serde_json::from_str(&line).expect("one line of JSON when it is ready");
        assert_eq!(
            (&ready["ready"], &ready["model"]),
            (&Value::Bool(true), &MODEL.into())
        );
        let base = ready["base_url"].as_str().unwrap();
        let address = base
            .strip_prefix("http://")
            .and_then(|rest| rest.strip_suffix("/v1"))
            .unwrap();
        Self {
            address: address.to_owned(),
            process,
        }
    }

    /// Sends a request and returns the connection, with nothing read from it.
    pub(crate) fn open(&self, method: &str, path: &str, body: &str) -> Connection {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_mins(2)))
            .unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        Connection(BufReader::new(stream))
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: &str) -> Reply {
        self.open(method, path, body).finish()
    }

    /// A chat with these members besides the model.
    pub(crate) fn chat(&self, body: &Value) -> Reply {
        self.send("POST", "/v1/chat/completions", &with_model(body))
    }

    /// Sends a chat request and returns its unread response.
    pub(crate) fn begin(&self, body: &Value) -> Connection {
        self.open("POST", "/v1/chat/completions", &with_model(body))
    }

    /// How many requests decode or wait.
    pub(crate) fn busy(&self) -> u64 {
        self.send("GET", "/health", "").json()["busy"]
            .as_u64()
            .unwrap()
    }

    /// Waits until this many requests decode or wait.
    pub(crate) fn wait_until_busy(&self, count: u64) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.busy() != count {
            assert!(Instant::now() < deadline, "never {count} busy");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends SIGTERM and waits for the process.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        let id = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        self.process.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn with_model(body: &Value) -> String {
    let mut body = body.clone();
    body["model"] = MODEL.into();
    body.to_string()
}

/// A response that is being received. Dropping it closes the socket.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    /// The next line without its line break; `None` at the end.
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.0.read_line(&mut line).unwrap();
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// Reads the rest.
    pub(crate) fn finish(mut self) -> Reply {
        let status = self.line().unwrap();
        let status = status.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        while let Some(line) = self.line().filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(": ").unwrap();
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let chunked = headers.iter().any(|(name, _)| name == "transfer-encoding");
        let mut body = Vec::new();
        if chunked {
            while let Some(size) = self.line() {
                let size = usize::from_str_radix(&size, 16).unwrap();
                let mut chunk = vec![0; size + 2];
                self.0.read_exact(&mut chunk).unwrap();
                body.extend_from_slice(&chunk[..size]);
            }
        } else {
            self.0.read_to_end(&mut body).unwrap();
        }
        Reply {
            status,
            headers,
            body: String::from_utf8(body).expect("every answer is UTF-8"),
        }
    }
}

/// A complete response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_str(&self.body).unwrap()
    }

    /// The text of an answer that was not streamed.
    pub(crate) fn text(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.body);
        self.json()["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// The `data` of each event.
    pub(crate) fn events(&self) -> Vec<&str> {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
            .split("\n\n")
            .filter(|event| !event.is_empty() && !event.starts_with(':'))
            .map(|event| event.strip_prefix("data: ").unwrap())
            .collect()
    }

    /// The error's `param` and `code`.
    pub(crate) fn error(&self) -> (u16, Value, Value) {
        let error = self.json()["error"].clone();
        assert!(
            error["message"].is_string() && error["type"].is_string(),
            "{error}"
        );
        (self.status, error["param"].clone(), error["code"].clone())
    }
}
