//! `serve`: loads the model, listens, prints the address and shuts down cleanly.

use crate::cli::ServeOptions;
use crate::engine::Engine;
use crate::error::Failure;
use crate::http::{App, router, unix_seconds};
use crate::model::{Gguf, Transformer};
use crate::text::Tokenizer;
use crate::threads;
use axum::serve::ListenerExt as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// The time for open connections after a signal.
const FAREWELL: Duration = Duration::from_secs(3);
/// The runtime only moves bytes; decoding has its own threads.
const RUNTIME_THREADS: usize = 2;

/// Serves until a signal ends it.
pub(crate) fn run(options: &ServeOptions) -> Result<(), Failure> {
    threads::settle(options.threads)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(RUNTIME_THREADS)
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(serve(options));
    runtime.shutdown_background();
    outcome
}

async fn serve(options: &ServeOptions) -> Result<(), Failure> {
    // Before the model is loaded, so that a port in use fails at once.
    let address = SocketAddr::new(options.host, options.port);
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| Failure::Listen { address, source })?;
    let address = listener.local_addr()?;
    // A token is a small packet and must not wait for the next one.
    let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));

    let app = Arc::new(load(options)?);
    let engine = app.engine.clone();
    announce(address, &app.model)?;

    let (closing, mut closed) = tokio::sync::watch::channel(false);
    let server = axum::serve(listener, router(app)).with_graceful_shutdown(async move {
        end_signal().await;
        eprintln!("shutting down");
        engine.close();
        closing.send_replace(true);
    });
    let deadline = async move {
        // An error means that the sender, and so the server, has ended.
        if closed.wait_for(|closing| *closing).await.is_ok() {
            tokio::time::sleep(FAREWELL).await;
        }
    };
    tokio::select! {
        ended = server.into_future() => ended?,
        () = deadline => eprintln!("some connections stayed open"),
    }
    Ok(())
}

fn load(options: &ServeOptions) -> Result<App, Failure> {
    let started = Instant::now();
    eprintln!("loading {}", options.model.display());
    let mut file = Gguf::open(&options.model)?;
    let tokenizer = Arc::new(Tokenizer::load(&file)?);
    let calls_tools = file.architecture() == "qwen2";
    let most_tokens = usize::try_from(options.context).unwrap_or(usize::MAX);
    let model = Transformer::load(&mut file, most_tokens)?;
    let window = model.window();
    let engine = Engine::start(model, Arc::clone(&tokenizer), options.queue)?;
    eprintln!("loaded in {:.1} s", started.elapsed().as_secs_f32());
    Ok(App {
        engine,
        tokenizer,
        model: options
            .id
            .clone()
            .unwrap_or_else(|| name_of(&options.model)),
        window,
        calls_tools,
        started: unix_seconds(),
    })
}

fn name_of(path: &Path) -> String {
    path.file_stem().map_or_else(
        || "local".into(),
        |stem| stem.to_string_lossy().into_owned(),
    )
}

/// Prints the only line on stdout: the address of the ready server, for the parent process.
fn announce(address: SocketAddr, model: &str) -> Result<(), Failure> {
    let line = serde_json::json!({
        "ready": true,
        "base_url": format!("http://{address}/v1"),
        "model": model,
    });
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()?;
    Ok(())
}

#[cfg(unix)]
async fn end_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[cfg(not(unix))]
async fn end_signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
