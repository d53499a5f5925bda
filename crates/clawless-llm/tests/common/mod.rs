//! Shared helpers of the client tests.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(unreachable_pub, reason = "a module of each test crate")]
#![allow(missing_docs, clippy::missing_panics_doc, reason = "tests")]

use clawless_core::chat::ChatOptions;
use clawless_core::llm::{
    Delta, LlmChoice, LlmEvent, LlmProvider, LlmRequest, LlmResponse, ProviderKind,
};
use clawless_core::time::Clock;
use clawless_core::{Message, Role, Timestamp};
use clawless_llm::egress::Egress;
use clawless_llm::{AnswerStream, Io, LlmClient, LlmError, Timeouts, make_client};
use clawless_testkit::provider::{Reply, ScriptedBody, ScriptedHttp, VirtualTime};

pub const DONE: &str = "data: [DONE]\n\n";

/// An event with one choice; `members` are the choice's, without its index.
pub fn chunk(members: &str) -> String {
    format!(
        "data: {{\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,{members}}}]}}\n\n"
    )
}

/// The text of the first choice.
pub fn text(events: &[LlmEvent]) -> String {
    let mut text = String::new();
    for event in events {
        if let LlmEvent::Delta {
            index: 0,
            delta: Delta::Content(more),
        } = event
        {
            text.push_str(more);
        }
    }
    text
}

pub fn request() -> LlmRequest {
    LlmRequest {
        model: "m".to_owned(),
        messages: vec![Message::text(Role::User, "Hi").expect("a message")],
        options: ChatOptions::default(),
    }
}

pub fn provider(name: &str) -> LlmProvider {
    LlmProvider {
        name: name.to_owned(),
        kind: ProviderKind::OpenAi,
        base_url: format!("https://{name}.example/v1"),
        profile: None,
        key: Some("KEY".to_owned()),
        models: Vec::new(),
    }
}

pub fn client(name: &str) -> LlmClient {
    make_client(&provider(name), Some("secret"), Egress::Public).expect("a client")
}

/// A client of a scripted provider.
pub struct Stage {
    pub time: VirtualTime,
    pub http: ScriptedHttp,
    pub client: LlmClient,
}

impl Stage {
    pub fn new() -> Self {
        let time = VirtualTime::starting_at(Timestamp::from_millis(1_700_000_000_000));
        Self {
            http: ScriptedHttp::new(&time),
            client: client("provider"),
            time,
        }
    }

    pub fn io(&self) -> Io<ScriptedHttp, VirtualTime> {
        Io {
            http: self.http.clone(),
            time: self.time.clone(),
        }
    }

    fn deadline(&self) -> Timestamp {
        self.time.now().plus(Timeouts::default().total)
    }

    pub async fn open(&self) -> Result<AnswerStream<ScriptedBody, VirtualTime>, LlmError> {
        let (request, timeouts) = (request(), Timeouts::default());
        self.client
            .stream(&self.io(), &request, &timeouts, self.deadline())
            .await
    }

    /// Every read of a stream, and its error.
    pub fn stream(&self) -> (Vec<Vec<LlmEvent>>, Option<LlmError>) {
        self.time.run(async {
            let mut stream = match self.open().await {
                Ok(stream) => stream,
                Err(error) => return (Vec::new(), Some(error)),
            };
            let mut reads = Vec::new();
            while let Some(read) = stream.next().await {
                match read {
                    Ok(events) => {
                        assert!(!events.is_empty());
                        reads.push(events);
                    }
                    Err(error) => {
                        assert!(stream.next().await.is_none(), "nothing follows an error");
                        return (reads, Some(error));
                    }
                }
            }
            (reads, None)
        })
    }

    pub fn collect(&self) -> Result<LlmResponse, LlmError> {
        self.time.run(async { self.open().await?.collect().await })
    }

    pub fn complete(&self) -> Result<LlmResponse, LlmError> {
        self.complete_request(&request())
    }

    pub fn complete_request(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        let timeouts = Timeouts::default();
        self.time.run(
            self.client
                .complete(&self.io(), request, &timeouts, self.deadline()),
        )
    }
}

/// The response of a stream of these choices, as [`chunk`] takes them, that ends with `[DONE]`.
pub fn streamed(choices: &[&str]) -> Result<LlmResponse, LlmError> {
    let chunks: String = choices.iter().map(|members| chunk(members)).collect();
    collect(&(chunks + DONE))
}

pub fn collect(stream: &str) -> Result<LlmResponse, LlmError> {
    let stage = Stage::new();
    stage.http.always(Reply::stream(stream));
    stage.collect()
}

pub fn whole(body: &str) -> Result<LlmResponse, LlmError> {
    let stage = Stage::new();
    stage.http.always(Reply::json(200, body));
    stage.complete()
}

/// The only choice of a response.
pub fn only(answer: Result<LlmResponse, LlmError>) -> LlmChoice {
    let mut choices = answer.expect("an answer").choices;
    assert_eq!(choices.len(), 1, "{choices:?}");
    choices.remove(0)
}
