//! Rebuilds a running stack when its sources change.

use std::{
    fs,
    path::Path,
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::{
    build_lock::BuildLock,
    bundle::{self, Bundle, FILES, Profile},
    layout::Layout,
    progress::Progress,
    stack::{config, database, provider::Provider, state::State},
    stamp::digest_of,
    tools::BuildTools,
};

/// Folders with sources of the Workers, their configurations and their database.
const FOLDERS: [&str; 5] = ["crates", "workers", "wrangler", "migrations", "widget"];

/// Root files that affect the build.
const ROOT_FILES: [&str; 3] = ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml"];

/// Time without changes before a build starts, since editors write several files.
const DEBOUNCE: Duration = Duration::from_millis(300);

/// A watcher of the sources.
pub(crate) struct Sources {
    events: Receiver<()>,
    _watcher: RecommendedWatcher,
}

impl Sources {
    /// Starts watching.
    pub(crate) fn watch(layout: &Layout) -> Result<Self> {
        let (sender, events) = mpsc::channel();
        let root = layout.root().to_path_buf();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| is_change(&event, &root)) {
                // The receiver is gone when the stack stops.
                let _ = sender.send(());
            }
        })
        .context("can't watch the sources")?;
        // Watches the root folder, not its files: a file watch ends when an editor replaces the file.
        let root = (layout.root().to_path_buf(), RecursiveMode::NonRecursive);
        let folders = FOLDERS.map(|folder| (layout.at(folder), RecursiveMode::Recursive));
        // A checkout without the widget's sources has no folder of it.
        let folders = folders.into_iter().filter(|(folder, _)| folder.is_dir());
        for (folder, mode) in folders.chain([root]) {
            watcher
                .watch(&folder, mode)
                .with_context(|| format!("can't watch {}", folder.display()))?;
        }
        Ok(Self {
            events,
            _watcher: watcher,
        })
    }

    /// Whether anything changed since the last call. Waits until the changes stop.
    pub(crate) fn changed(&self) -> bool {
        if self.events.try_recv().is_err() {
            return false;
        }
        while self.events.recv_timeout(DEBOUNCE).is_ok() {}
        true
    }
}

/// Ignores read events, which compilers cause.
fn is_change(event: &Event, root: &Path) -> bool {
    let kind = matches!(
        event.kind,
        EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_)
    );
    kind && event.paths.iter().any(|path| is_source(path, root))
}

fn is_source(path: &Path, root: &Path) -> bool {
    if path.parent() == Some(root) {
        return ROOT_FILES.iter().any(|file| path.ends_with(file));
    }
    // What the widget's build writes is no source.
    let is_output = path.starts_with(root.join("widget/dist"));
    !is_output
        && path.extension().is_some_and(|extension| {
            [
                "rs", "toml", "sql", "json", "jsonc", "js", "mjs", "ts", "css", "html",
            ]
            .iter()
            .any(|known| extension == *known)
        })
}

/// A rebuild in the background.
#[derive(Clone)]
pub(crate) struct Rebuild {
    pub(crate) layout: Layout,
    pub(crate) state: State,
    pub(crate) tools: BuildTools,
    pub(crate) profile: Profile,
    pub(crate) provider: Provider,
    pub(crate) progress: Progress,
}

impl Rebuild {
    /// Builds on a thread. The receiver gets a message at the end.
    pub(crate) fn start(&self) -> Receiver<()> {
        let (sender, done) = mpsc::channel();
        let job = self.clone();
        thread::spawn(move || {
            job.run();
            let _ = sender.send(());
        });
        done
    }

    fn run(&self) {
        self.progress.line("Sources changed: building.");
        match self.attempt() {
            Ok(true) => self.progress.line("The new version is running."),
            Ok(false) => self.progress.line("The bundles are unchanged."),
            Err(error) => self.progress.line(format!(
                "{error:#}\nThe build failed: the previous version keeps running."
            )),
        }
    }

    fn attempt(&self) -> Result<bool> {
        let _lock = BuildLock::acquire(&self.layout, &self.progress)?;
        let bundles = bundle::build_all(&self.layout, &self.tools, self.profile, &self.progress)?;
        // Schema first: new code may need it, and migrations only add to what old code uses.
        database::migrate(&self.layout, &self.state, &self.progress)?;
        let published = publish(&bundles, &self.state)?;
        let configured = config::write_all(&self.layout, &self.state, &self.provider)?;
        Ok(published || configured)
    }
}

/// Copies changed bundles to the stack's folder. Returns whether any was copied.
pub(crate) fn publish(bundles: &[Bundle], state: &State) -> Result<bool> {
    let mut any = false;
    for bundle in bundles {
        let folder = state.bundle(bundle.worker);
        fs::create_dir_all(&folder)
            .with_context(|| format!("can't create the folder {}", folder.display()))?;
        // The entry comes last, since its change triggers the reload.
        for file in FILES.iter().rev() {
            let (from, to) = (bundle.folder.join(file), folder.join(file));
            if to.is_file() && digest_of(&from, |_| ())? == digest_of(&to, |_| ())? {
                continue;
            }
            // Staged outside the folder, where wrangler looks for modules.
            let staged = folder.with_extension("new");
            // A copy would have the mode of the original, which others may read.
            fs::read(&from)
                .and_then(|content| fs::write(&staged, content))
                .and_then(|()| fs::rename(&staged, &to))
                .with_context(|| format!("can't copy {} to {}", from.display(), to.display()))?;
            any = true;
        }
    }
    Ok(any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_source_changes_start_a_build() {
        let root = Path::new("/clawless");
        let change =
            |kind, path: &str| is_change(&Event::new(kind).add_path(root.join(path)), root);
        let modified = EventKind::Modify(notify::event::ModifyKind::Any);
        for source in [
            "crates/a/src/lib.rs",
            "migrations/001_tenants.sql",
            "workers/entry/index.js",
            "wrangler/gateway.jsonc",
            "widget/src/app.ts",
            "workers/widget-server/pages/demo.html",
            "Cargo.toml",
            "Cargo.lock",
        ] {
            assert!(change(modified, source), "{source}");
        }
        for other in [
            "crates/a/src/.lib.rs.swp",
            "package.json",
            "README.md",
            "widget/dist/cdn/v1.0.0/app.js",
        ] {
            assert!(!change(modified, other), "{other}");
        }
        let read = EventKind::Access(notify::event::AccessKind::Any);
        assert!(!change(read, "crates/a/src/lib.rs"));
    }

    #[test]
    fn only_changed_bundles_are_copied() {
        let root = std::env::temp_dir().join(format!("clawless-publish-{}", std::process::id()));
        let built = root.join("built");
        fs::create_dir_all(&built).unwrap();
        for file in FILES {
            fs::write(built.join(file), "one").unwrap();
        }
        let state = State::new(&root.join("state")).unwrap();
        let bundles = [Bundle {
            worker: "gateway",
            folder: built.clone(),
        }];
        assert!(publish(&bundles, &state).unwrap());
        assert!(!publish(&bundles, &state).unwrap());
        fs::write(built.join("index.js"), "two").unwrap();
        assert!(publish(&bundles, &state).unwrap());
        assert_eq!(
            fs::read_to_string(state.bundle("gateway").join("index.js")).unwrap(),
            "two"
        );
        fs::remove_dir_all(root).unwrap();
    }
}
