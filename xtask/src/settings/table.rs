//! Every binding, variable and secret of the Workers. `docs/configuration.md`, the check of a deployment and
//! the tests come from this table.

/// A name in a Worker's environment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// The Workers that have it, as in `workers/`.
    pub(crate) workers: &'static [&'static str],
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// The value that applies without it; empty if there is none.
    pub(crate) default: &'static str,
    pub(crate) meaning: &'static str,
}

/// What a name is bound to, and the list of `wrangler/*.jsonc` that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Database,
    Namespace,
    Objects,
    Queue,
    Service,
    RateLimit,
    Ai,
    Variable,
    /// `required`: wrangler deploys nothing without it.
    Secret {
        required: bool,
    },
}

impl Kind {
    /// The word in the documentation and in errors.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Database => "D1 database",
            Self::Namespace => "KV namespace",
            Self::Objects => "Durable Objects",
            Self::Queue => "queue",
            Self::Service => "service",
            Self::RateLimit => "rate limit",
            Self::Ai => "Workers AI",
            Self::Variable => "variable",
            Self::Secret { .. } => "secret",
        }
    }

    /// Whether it is a binding, without which a deployment is refused.
    pub(crate) const fn is_binding(self) -> bool {
        !matches!(self, Self::Variable | Self::Secret { .. })
    }

    /// Where `wrangler/*.jsonc` lists it: the path of a list, and the member with its name.
    pub(crate) const fn list(self) -> (&'static str, &'static str) {
        match self {
            Self::Database => ("/d1_databases", "binding"),
            Self::Namespace => ("/kv_namespaces", "binding"),
            Self::Objects => ("/durable_objects/bindings", "name"),
            Self::Queue => ("/queues/producers", "binding"),
            Self::Service => ("/services", "binding"),
            Self::RateLimit => ("/ratelimits", "name"),
            Self::Ai => ("/ai", "binding"),
            Self::Variable => ("/vars", ""),
            Self::Secret { .. } => ("/secrets/required", ""),
        }
    }
}

const fn setting(
    workers: &'static [&'static str],
    name: &'static str,
    kind: Kind,
    default: &'static str,
    meaning: &'static str,
) -> Setting {
    Setting {
        workers,
        name,
        kind,
        default,
        meaning,
    }
}

const GATEWAY: &[&str] = &["gateway"];
const ADMIN: &[&str] = &["admin"];
const BOTH: &[&str] = &["gateway", "admin"];
const ALL: &[&str] = &["gateway", "admin", "widget-server"];

/// The table.
pub(crate) const SETTINGS: &[Setting] = &[
    setting(
        ALL,
        "DB",
        Kind::Database,
        "",
        "All stored data. Without it nothing works; the widget server reads logos only.",
    ),
    setting(
        BOTH,
        "CACHE",
        Kind::Namespace,
        "",
        "Copies of records and histories. Without it D1 is read instead.",
    ),
    setting(
        BOTH,
        "LEDGER",
        Kind::Objects,
        "",
        "One ledger per tenant: money, quotas, rates, lanes. The class is in the gateway.",
    ),
    setting(
        GATEWAY,
        "SENDS",
        Kind::Queue,
        "",
        "Messages between sessions.",
    ),
    setting(
        GATEWAY,
        "ADMIN",
        Kind::Service,
        "",
        "The admin Worker. Without it `/admin/*` returns 503.",
    ),
    setting(
        GATEWAY,
        "WIDGET",
        Kind::Service,
        "",
        "The widget server. Without it `/widget/*` returns 503.",
    ),
    setting(
        GATEWAY,
        "AI",
        Kind::Ai,
        "",
        "The platform's models, for providers of the kind `workers_ai`.",
    ),
    setting(
        GATEWAY,
        "KEY_GUESSES",
        Kind::RateLimit,
        "",
        "Wrong API keys per address.",
    ),
    setting(
        GATEWAY,
        "WIDGET_SESSIONS",
        Kind::RateLimit,
        "",
        "Sessions of the chat widget per address and key.",
    ),
    setting(
        GATEWAY,
        "VISITOR_MESSAGES",
        Kind::RateLimit,
        "",
        "Messages per visitor of the chat widget.",
    ),
    setting(
        GATEWAY,
        "VISITOR_REQUESTS",
        Kind::RateLimit,
        "",
        "Other requests per visitor of the chat widget.",
    ),
    setting(
        ADMIN,
        "ADMIN_BY_ADDRESS",
        Kind::RateLimit,
        "",
        "Requests to the admin API per address.",
    ),
    setting(
        ADMIN,
        "ADMIN_BY_TOKEN",
        Kind::RateLimit,
        "",
        "Requests to the admin API per token.",
    ),
    setting(
        GATEWAY,
        "SIGNING_KEY",
        Kind::Secret { required: true },
        "",
        "Signs cursors and the tokens of visitors; at least 32 characters. The first deployment generates it.",
    ),
    setting(
        ADMIN,
        "ADMIN_TOKEN",
        Kind::Secret { required: false },
        "",
        "The first operator's token; at least 32 bytes. The first deployment generates it; delete it when other tokens exist.",
    ),
    setting(
        GATEWAY,
        "PROVIDERS",
        Kind::Variable,
        "",
        "JSON: the model servers in order of preference ([models.md](models.md)). Each `key` names a secret of the gateway.",
    ),
    setting(
        GATEWAY,
        "MODEL_ALIASES",
        Kind::Variable,
        "",
        "JSON: names that clients use for other models, or beginnings of names with `*`, such as `{\"claude-haiku-*\":\"fast\"}`.",
    ),
    setting(
        GATEWAY,
        "ALLOW_PRIVATE_PROVIDERS",
        Kind::Variable,
        "false",
        "`true` allows providers at private addresses and plain HTTP; for development.",
    ),
    setting(
        GATEWAY,
        "LEDGER_QUEUE_LIMIT",
        Kind::Variable,
        "512",
        "Inputs of one tenant that may wait for the ledger's storage before new calls return 503. Running calls are always completed.",
    ),
    setting(
        GATEWAY,
        "BODY_LIMIT_BYTES",
        Kind::Variable,
        "4194304",
        "The largest request body, images included.",
    ),
    setting(
        GATEWAY,
        "FIRST_BYTE_TIMEOUT_MS",
        Kind::Variable,
        "30000",
        "Time to the first byte of a streamed answer.",
    ),
    setting(
        GATEWAY,
        "WHOLE_TIMEOUT_MS",
        Kind::Variable,
        "300000",
        "Time to the first byte of an answer that is not streamed, which is its end; and to the first output of a stream that sends only keep-alive comments.",
    ),
    setting(
        GATEWAY,
        "IDLE_TIMEOUT_MS",
        Kind::Variable,
        "30000",
        "The longest pause within an answer.",
    ),
    setting(
        GATEWAY,
        "KEEP_ALIVE_MS",
        Kind::Variable,
        "2500",
        "Silence on a stream before its client receives a comment line. A pause may last twice as long. Some clients of Responses give up after a few seconds of silence.",
    ),
    setting(
        GATEWAY,
        "EARLY_HEAD_MS",
        Kind::Variable,
        "10000",
        "Time after which a stream whose answer has not begun receives the head of its response ([slow models](models.md#slow-models)).",
    ),
    setting(
        GATEWAY,
        "TOTAL_TIMEOUT_MS",
        Kind::Variable,
        "600000",
        "The longest call, with retries and fallbacks.",
    ),
    setting(
        GATEWAY,
        "CORS_ORIGINS",
        Kind::Variable,
        "*",
        "Origins, separated by commas, whose scripts may call `/v1/*`; never with credentials.",
    ),
    setting(
        ALL,
        "LOG_LEVEL",
        Kind::Variable,
        "info",
        "`error`, `warn`, `info`, `debug` or `trace`; one JSON line per event.",
    ),
    setting(
        ALL,
        "ENVIRONMENT",
        Kind::Variable,
        "",
        "The environment's name. `cargo xtask deploy` sets it.",
    ),
    setting(
        ALL,
        "BUILD_COMMIT",
        Kind::Variable,
        "",
        "The deployed commit, for `/health` and the log. `cargo xtask deploy` sets it.",
    ),
];
