//! The client of one provider: drives its protocol over the network port and the clock.

use std::borrow::Cow;

use clawless_core::llm::{LlmRequest, LlmResponse};
use clawless_core::time::{Clock, Timer, timeout};
use clawless_core::{Millis, Timestamp};
use futures_util::StreamExt;

use crate::betas;
use crate::error::LlmError;
use crate::legacy_functions::{self, LegacyFunctionsDecoder};
use crate::origin;
use crate::ports::{AI_SCHEME, Http, HttpResponse};
use crate::profile::{DEFAULT, Profile, TimeoutFactors};
use crate::protocol::{Decoder, Mode, Protocol};
use crate::retry_after;
use crate::secret::{RedactingDecoder, Secret};
use crate::sse;
use crate::stream::{AnswerStream, StreamLimits};

/// The maximum number of bytes read of an error body: 64 KiB.
const MAX_REFUSAL_BYTES: usize = 64 * 1024;

/// The timeout for reading an error body. After it, only the status is used.
const REFUSAL_BODY_TIMEOUT: Millis = Millis::from_secs(5);

/// The ports that a call uses.
#[derive(Debug, Clone)]
pub struct Io<H, T> {
    /// The network.
    pub http: H,
    /// Clock and timer.
    pub time: T,
}

/// The timeouts of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a streamed response begins.
    pub first_byte: Millis,
    /// Until a whole response begins, which for most providers is when it is complete. Also until
    /// the first output of a stream that sends only comments or empty events.
    pub whole: Millis,
    /// Between two reads of a response.
    pub idle: Millis,
    /// For the whole call, including retries and fallbacks.
    pub total: Millis,
}

impl Timeouts {
    /// The timeouts extended by the factors of a provider and model. None exceeds the total.
    #[must_use]
    pub fn extended(self, timeout_factors: TimeoutFactors) -> Self {
        let extend = |timeout: Millis, factor: u32| {
            let extended = timeout.get().saturating_mul(u64::from(factor));
            Millis::new(extended).min(self.total.max(timeout))
        };
        let first_byte = extend(self.first_byte, timeout_factors.first_byte);
        Self {
            first_byte,
            whole: self.whole.max(first_byte),
            idle: extend(self.idle, timeout_factors.idle),
            ..self
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            first_byte: Millis::from_secs(30),
            whole: Millis::from_secs(300),
            idle: Millis::from_secs(30),
            total: Millis::from_secs(600),
        }
    }
}

/// The client of one provider.
pub struct LlmClient {
    name: String,
    protocol: Box<dyn Protocol>,
    profile: &'static Profile,
    /// The provider's API key, for redaction in errors.
    secret: Option<Secret>,
}

impl std::fmt::Debug for LlmClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LlmClient")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl LlmClient {
    /// A client of the provider of this name, with the default profile. Most callers use
    /// [`crate::make_client`].
    pub fn new(name: String, protocol: Box<dyn Protocol>, key: Option<&str>) -> Self {
        Self {
            name,
            protocol,
            profile: &DEFAULT,
            secret: Secret::of(key),
        }
    }

    /// The same client with a profile.
    #[must_use]
    pub const fn with_profile(mut self, profile: &'static Profile) -> Self {
        self.profile = profile;
        self
    }

    /// How the provider's wire differs from others.
    pub const fn profile(&self) -> &'static Profile {
        self.profile
    }

    /// The provider's name in the configuration.
    pub fn provider(&self) -> &str {
        &self.name
    }

    /// The parameters of a request that are dropped because this provider does not support them.
    pub fn dropped(&self, request: &LlmRequest) -> Vec<Cow<'static, str>> {
        let mut dropped = self.protocol.dropped(request);
        dropped.extend(betas::dropped(&request.options, self.profile));
        dropped
    }

    /// Requests a whole response. `deadline` bounds the whole call, in addition to `timeouts`.
    ///
    /// # Errors
    /// The provider's failure.
    pub async fn complete<H: Http, T: Clock + Timer>(
        &self,
        io: &Io<H, T>,
        request: &LlmRequest,
        timeouts: &Timeouts,
        deadline: Timestamp,
    ) -> Result<LlmResponse, LlmError> {
        let now = io.time.now();
        let by = now.plus(timeouts.whole).min(deadline);
        let response = self.head(io, request, Mode::Whole, by, deadline).await?;
        reject_html(&response)?;
        let wait = deadline.since(io.time.now());
        let body = timeout(
            &io.time,
            wait,
            read_body(response.body, sse::MAX_BYTES, &io.time, timeouts.idle),
        )
        .await
        .map_err(|_| LlmError::DeadlineExceeded)??;
        self.decode_whole(request, &body)
    }

    /// Requests a streamed response and returns once its first event was decoded. Until then
    /// nothing is charged, and another model may be called.
    ///
    /// # Errors
    /// The provider's failure.
    pub async fn stream<H: Http, T: Clock + Timer + Clone + 'static>(
        &self,
        io: &Io<H, T>,
        request: &LlmRequest,
        timeouts: &Timeouts,
        deadline: Timestamp,
    ) -> Result<AnswerStream<H::Body, T>, LlmError> {
        let now = io.time.now();
        let by = now.plus(timeouts.first_byte).min(deadline);
        let response = match self.head(io, request, Mode::Stream, by, deadline).await {
            // Not every server knows the parameter, and its usage can be estimated.
            Err(error) if rejects_usage(&error) => {
                let mode = Mode::StreamWithoutUsage;
                self.head(io, request, mode, by, deadline).await?
            }
            response => response?,
        };
        reject_html(&response)?;
        let decoder = self.decoder(request);
        if is_json(&response) {
            // Some servers ignore `stream`, most often for errors.
            let wait = deadline.since(io.time.now());
            let body = read_body(response.body, sse::MAX_BYTES, &io.time, timeouts.idle);
            let body = timeout(&io.time, wait, body)
                .await
                .map_err(|_| LlmError::DeadlineExceeded)??;
            let answer = self.decode_whole(request, &body)?;
            return Ok(AnswerStream::from_whole(answer, decoder, io.time.clone()));
        }
        let limits = StreamLimits {
            first_byte: by,
            begin: now
                .plus(timeouts.whole.max(timeouts.first_byte))
                .min(deadline),
            idle: timeouts.idle,
            deadline,
        };
        AnswerStream::begin(response.body, decoder, io.time.clone(), limits).await
    }

    fn decoder(&self, request: &LlmRequest) -> Box<dyn Decoder> {
        let mut decoder = self.protocol.decoder(request);
        if let Some(secret) = self.secret.clone() {
            decoder = Box::new(RedactingDecoder {
                inner: decoder,
                secret,
            });
        }
        if legacy_functions::is_requested(&request.options) {
            return Box::new(LegacyFunctionsDecoder(decoder));
        }
        decoder
    }

    fn decode_whole(&self, request: &LlmRequest, body: &[u8]) -> Result<LlmResponse, LlmError> {
        let answer = self.protocol.decode_whole(request, body);
        let answer = answer.map_err(|error| match &self.secret {
            Some(secret) => secret.redact(error),
            None => error,
        })?;
        if legacy_functions::is_requested(&request.options) {
            return Ok(legacy_functions::whole(answer));
        }
        Ok(answer)
    }

    /// Sends the request and waits until `by` for a successful response head.
    async fn head<H: Http, T: Clock + Timer>(
        &self,
        io: &Io<H, T>,
        request: &LlmRequest,
        mode: Mode,
        by: Timestamp,
        deadline: Timestamp,
    ) -> Result<HttpResponse<H::Body>, LlmError> {
        let wait = by.since(io.time.now());
        let request = origin::for_target(request, &self.name);
        let encoded = self.protocol.encode(&request, mode);
        let encoded = encoded.map_err(LlmError::in_encoding)?;
        let sent = async {
            match encoded.url.strip_prefix(AI_SCHEME) {
                Some(model) => io.http.run_ai(model, &encoded.body).await,
                None => io.http.send(encoded).await,
            }
        };
        let response = match timeout(&io.time, wait, sent).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(LlmError::Unreachable(error.0)),
            Err(_) if by >= deadline => return Err(LlmError::DeadlineExceeded),
            Err(_) => return Err(LlmError::FirstByteTimeout),
        };
        match response.status {
            200..=299 => Ok(response),
            // Redirects are not followed: they would send the key to another host.
            status @ 300..=399 => Err(LlmError::Misconfigured { status }),
            status => {
                let now = io.time.now();
                let wait = retry_after::parse(&response.headers, now);
                let reset = retry_after::reset(&response.headers, now);
                let body = read_body(
                    response.body,
                    MAX_REFUSAL_BYTES,
                    &io.time,
                    REFUSAL_BODY_TIMEOUT,
                );
                let body = timeout(&io.time, REFUSAL_BODY_TIMEOUT, body).await;
                let body = body.ok().and_then(Result::ok).unwrap_or_default();
                let mut refusal = self.protocol.decode_refusal(status, &body);
                if let Some(secret) = &self.secret {
                    refusal = secret.refusal(status, &body, refusal);
                }
                Err(refusal.with_retry_after(wait, reset))
            }
        }
    }
}

impl LlmError {
    /// Adds the delay of the headers. The reset time of a limit counts only for rate limits, and
    /// only if the provider gives no delay: it is sent with other errors, too.
    fn with_retry_after(mut self, wait: Option<Millis>, reset: Option<Millis>) -> Self {
        if let Self::RateLimited { retry_after } = &mut self {
            *retry_after = wait.or(*retry_after).or(reset);
        }
        if let Self::RateLimited { retry_after }
        | Self::Overloaded { retry_after }
        | Self::ServerError { retry_after, .. } = &mut self
        {
            *retry_after = wait.or(*retry_after);
        }
        self
    }
}

/// Whether a provider rejects a stream because its usage was requested.
fn rejects_usage(error: &LlmError) -> bool {
    let LlmError::InvalidRequest { message, param } = error else {
        return false;
    };
    let mut texts = [Some(message), param.as_ref()].into_iter().flatten();
    texts.any(|text| text.contains("stream_options") || text.contains("include_usage"))
}

fn content_type<B>(response: &HttpResponse<B>) -> &str {
    let value = response.headers.get("content-type").unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

fn is_json<B>(response: &HttpResponse<B>) -> bool {
    content_type(response).eq_ignore_ascii_case("application/json")
}

/// Rejects an HTML page with status 200, such as a proxy's.
fn reject_html<B>(response: &HttpResponse<B>) -> Result<(), LlmError> {
    if content_type(response).eq_ignore_ascii_case("text/html") {
        return Err(LlmError::Malformed("an HTML page".to_owned()));
    }
    Ok(())
}

/// Reads a body of at most `max_bytes`; fails after `idle` without data.
async fn read_body<B, T>(
    mut body: B,
    max_bytes: usize,
    timer: &T,
    idle: Millis,
) -> Result<Vec<u8>, LlmError>
where
    B: futures_util::Stream<Item = Result<Vec<u8>, crate::ports::HttpError>> + Unpin,
    T: Timer,
{
    let mut whole = Vec::new();
    loop {
        let read = timeout(timer, idle, body.next()).await;
        match read.map_err(|_| LlmError::IdleTimeout)? {
            None => return Ok(whole),
            Some(Err(error)) => return Err(LlmError::Truncated(error.0)),
            Some(Ok(bytes)) if whole.len().saturating_add(bytes.len()) > max_bytes => {
                return Err(LlmError::Malformed(format!(
                    "an answer of more than {max_bytes} bytes"
                )));
            }
            Some(Ok(bytes)) if whole.is_empty() => whole = bytes,
            Some(Ok(bytes)) => whole.extend_from_slice(&bytes),
        }
    }
}
