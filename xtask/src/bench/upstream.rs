//! A model server that responds immediately, so that the measured time is the Worker's.

use std::{
    io::{self, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use super::http::read_message;

/// Its model.
pub(super) const MODEL: &str = "bench-model";

/// Text events of a stream.
pub(super) const EVENTS: usize = 20;

/// Text in a request's body that selects a stream with separate events.
pub(super) const SLOWLY: &str = r#""user":"slowly""#;

/// Text events of such a stream.
pub(super) const SLOW_EVENTS: usize = 200;

/// Pause before each of them, so that readers receive each separately.
const PAUSE: Duration = Duration::from_millis(1);

/// The upstream. It runs until the program exits.
pub(super) struct Upstream {
    address: SocketAddr,
}

/// The responses in wire format.
struct Responses {
    whole: Vec<u8>,
    streamed: Vec<u8>,
    /// The transfer chunks of the stream with separate events.
    slow: Vec<String>,
}

impl Upstream {
    /// Starts it on a free local port.
    pub(super) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let responses = Arc::new(Responses::new());
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let responses = Arc::clone(&responses);
                // A closed connection ends the thread and is not an error.
                thread::spawn(move || serve(&connection, &responses));
            }
        });
        Ok(Self { address })
    }

    /// Its origin without a trailing slash.
    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn serve(connection: &TcpStream, responses: &Responses) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut writer = connection.try_clone()?;
    let mut reader = BufReader::new(connection);
    while let Some(request) = read_message(&mut reader)? {
        if contains(&request.body, SLOWLY) {
            for piece in &responses.slow {
                writer.write_all(piece.as_bytes())?;
                thread::sleep(PAUSE);
            }
        } else if contains(&request.body, r#""stream":true"#) {
            writer.write_all(&responses.streamed)?;
        } else {
            writer.write_all(&responses.whole)?;
        }
    }
    Ok(())
}

/// Searches a member without parsing, since the requests are the load generator's.
fn contains(body: &[u8], member: &str) -> bool {
    body.windows(member.len())
        .any(|window| window == member.as_bytes())
}

impl Responses {
    fn new() -> Self {
        let usage = r#"{"prompt_tokens":12,"completion_tokens":20,"total_tokens":32}"#;
        let text = "word ".repeat(EVENTS);
        let whole = format!(
            r#"{{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"{MODEL}","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}","refusal":null}},"finish_reason":"stop","logprobs":null}}],"usage":{usage}}}"#
        );
        let chunk = |choices: &str, rest: &str| {
            format!(
                "data: {{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"{MODEL}\",\"choices\":[{choices}]{rest}}}\n\n"
            )
        };
        let delta = |delta: &str, finish: &str| {
            chunk(
                &format!(r#"{{"index":0,"delta":{{{delta}}},"finish_reason":{finish}}}"#),
                "",
            )
        };
        let events = [
            delta(r#""role":"assistant","content":"""#, "null"),
            delta(r#""content":"word ""#, "null").repeat(EVENTS),
            delta("", r#""stop""#),
            chunk("", &format!(r#","usage":{usage}"#)),
            "data: [DONE]\n\n".to_owned(),
        ]
        .concat();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        let piece = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
        let mut slow = vec![head.to_owned()];
        slow.extend((0..SLOW_EVENTS).map(|_| piece(&delta(r#""content":"word ""#, "null"))));
        slow.push(piece(&delta("", r#""stop""#)));
        slow.push(piece(&chunk("", &format!(r#","usage":{usage}"#))));
        slow.push(format!("{}0\r\n\r\n", piece("data: [DONE]\n\n")));
        Self {
            whole: message("application/json", &whole),
            streamed: message("text/event-stream", &events),
            slow,
        }
    }
}

fn message(content_type: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
