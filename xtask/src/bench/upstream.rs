//! A model server that answers at once, so that what is measured is the Worker in front of it.

use std::{
    io::{self, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use super::http::read_message;

/// The model it offers.
pub(super) const MODEL: &str = "bench-model";

/// How many events with text a streamed answer has.
pub(super) const EVENTS: usize = 20;

/// What a request's body must hold for its stream to come event by event.
pub(super) const SLOWLY: &str = r#""user":"slowly""#;

/// How many events with text such a stream has.
pub(super) const SLOW_EVENTS: usize = 200;

/// The pause before each of them: long enough that whoever reads gets each by itself.
const PAUSE: Duration = Duration::from_millis(1);

/// The upstream. It serves until the program ends.
pub(super) struct Upstream {
    address: SocketAddr,
}

/// Both answers, as the bytes that go on the wire.
struct Answers {
    whole: Vec<u8>,
    streamed: Vec<u8>,
    /// The pieces of an answer that comes slowly, each a chunk of its transfer.
    slow: Vec<String>,
}

impl Upstream {
    /// Starts it on a free loopback port.
    pub(super) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let answers = Arc::new(Answers::new());
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let answers = Arc::clone(&answers);
                // A Worker that closes its connection ends the thread; that is no error.
                thread::spawn(move || serve(&connection, &answers));
            }
        });
        Ok(Self { address })
    }

    /// Its origin, without a slash at the end.
    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn serve(connection: &TcpStream, answers: &Answers) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut writer = connection.try_clone()?;
    let mut reader = BufReader::new(connection);
    while let Some(request) = read_message(&mut reader)? {
        if holds(&request.body, SLOWLY) {
            for piece in &answers.slow {
                writer.write_all(piece.as_bytes())?;
                thread::sleep(PAUSE);
            }
        } else if holds(&request.body, r#""stream":true"#) {
            writer.write_all(&answers.streamed)?;
        } else {
            writer.write_all(&answers.whole)?;
        }
    }
    Ok(())
}

/// Looks for a member without parsing: the requests are the load generator's own.
fn holds(body: &[u8], member: &str) -> bool {
    body.windows(member.len())
        .any(|window| window == member.as_bytes())
}

impl Answers {
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
        let begin = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        let piece = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
        let mut slow = vec![begin.to_owned()];
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
