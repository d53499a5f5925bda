//! What one isolate holds at a time: bytes in memory, and running reads per tenant and key.
//!
//! A Worker's isolate has 128 MB of memory and one thread, which all tenants share. Each request, answer
//! and export that can be large has a [`Permit`] here while it is in memory, and each read of storage has
//! one while it runs. Counts are those of this isolate: they protect it, and the ledger limits rates.

mod busy;
mod reader;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use clawless_core::ApiError;
use clawless_core::time::{Clock, Millis, Timer, Timestamp};
use serde::Serialize;

use busy::Busy;
use reader::account;
pub use reader::{ReadKind, Reader};

/// The most counted bytes of an isolate, of the platform's 128 MB.
pub const MAX_BYTES: usize = 96_000_000;
/// The most of them for one tenant: the others must still find room.
pub const MAX_TENANT_BYTES: usize = MAX_BYTES / 2;
/// The counted bytes of a read that has just started: a page before its length is known.
const READ_BYTES: usize = 1 << 20;
/// The most reads of one tenant that run at once.
pub const MAX_TENANT_READS: usize = 8;
/// The most reads of one key that run at once.
pub const MAX_KEY_READS: usize = 4;
/// The most reads of all visitors of one tenant's chat widgets that run at once. They are counted apart, so
/// that visitors leave the tenant's own reads alone.
pub const MAX_VISITORS_READS: usize = 4;
/// The most reads of one visitor that run at once.
pub const MAX_VISITOR_READS: usize = 2;
/// The most exports of one tenant that run at once.
pub const MAX_TENANT_EXPORTS: usize = 4;
/// The most exports of one key that run at once.
pub const MAX_KEY_EXPORTS: usize = 2;
/// The most reads of one tenant that wait for others to end.
const MAX_TENANT_WAITING: usize = 256;
/// How long a read waits for others of its tenant to end. A refusal comes after that time, so that a
/// client that repeats it at once costs the isolate little.
const MAX_WAIT: Millis = Millis::from_secs(2);
/// How often a waiting read tries again, for each of the waiting: all together try at the same rate. It
/// cannot be woken: on Workers, no request may await what another one does.
const POLL: Millis = Millis::new(4);
/// The shortest time between two tries.
const MIN_POLL: Millis = Millis::new(20);
/// How long the refusal of a read by a rate limit is delayed, for the same reason.
const REFUSAL_DELAY: Millis = Millis::new(500);
/// How fast one tenant may read, in bytes a millisecond: 4 MiB a second. Reading a page costs the
/// isolate's only thread some milliseconds per 100 KiB.
const READ_RATE: u64 = 4 * 1024 * 1024 / 1000;
/// The bytes that a tenant may read at once before that rate applies.
const READ_BURST: Millis = Millis::from_secs(1);
/// A read counts as at least this many bytes.
const MIN_READ_BYTES: usize = 16 * 1024;
/// How long a read may run. Its permit ends then, even if the runtime has cancelled the request.
const READ_LEASE: Millis = Millis::from_secs(120);
/// How long the permit of a request lasts at most: longer than any request takes.
pub const REQUEST_LEASE: Millis = Millis::from_secs(900);
/// The tenants whose reading rate is remembered at most; more than an isolate serves within the burst.
const MAX_PACED: usize = 4096;

/// What an isolate holds.
#[derive(Debug, Default)]
pub struct Load(RefCell<State>);

#[derive(Debug, Default)]
struct State {
    permits: HashMap<u64, Entry>,
    next_id: u64,
    bytes: usize,
    peak: usize,
    /// The bytes of each tenant that holds any: checked for every chunk of a slow stream.
    held: HashMap<Rc<str>, usize>,
    /// When each tenant's reads are paid off at the reading rate.
    paced: HashMap<Rc<str>, Timestamp>,
}

#[derive(Debug)]
struct Entry {
    tenant: Rc<str>,
    key: Rc<str>,
    work: Work,
    bytes: usize,
    expires: Timestamp,
}

impl Entry {
    /// The account that pays for a read; none for other work.
    fn reading_account(&self) -> Option<Rc<str>> {
        match self.work {
            Work::Read(kind) => Some(account(&self.tenant, kind)),
            Work::Waiting | Work::Request => None,
        }
    }
}

/// What a permit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Read(ReadKind),
    /// A read that waits for others.
    Waiting,
    /// A request's body and what is parsed and encoded from it.
    Request,
}

/// Counts of an isolate, for tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// The bytes held now.
    pub bytes: usize,
    /// The most bytes held at once since the isolate started.
    pub peak: usize,
    /// Running reads of pages.
    pub pages: usize,
    /// Running exports.
    pub exports: usize,
    /// Waiting reads.
    pub waiting: usize,
    /// Requests whose bodies are held.
    pub requests: usize,
}

thread_local! {
    static LOAD: Rc<Load> = Rc::default();
}

impl Load {
    /// The load of this isolate.
    pub fn of_isolate() -> Rc<Self> {
        LOAD.with(Rc::clone)
    }

    /// A permit to hold a request of `bytes` in memory, for at most `lease`.
    ///
    /// # Errors
    /// 429 if the tenant holds its share of this isolate, 503 if the isolate is full.
    pub fn hold(
        self: &Rc<Self>,
        tenant: &str,
        bytes: usize,
        now: Timestamp,
        lease: Millis,
    ) -> Result<Permit, ApiError> {
        // A single request may fill the tenant's share: the limit of bodies is configurable.
        let bytes = bytes.min(MAX_TENANT_BYTES);
        self.with_room(tenant, bytes, now).map_err(Busy::error)?;
        let entry = Entry {
            tenant: tenant.into(),
            key: "".into(),
            work: Work::Request,
            bytes,
            expires: now.plus(lease),
        };
        Ok(self.enter(entry))
    }

    /// A permit to read storage. Waits for other reads of the tenant to end.
    ///
    /// # Errors
    /// 429 if too many reads of the tenant or key run and wait, 503 if the isolate is full.
    pub async fn read(
        self: &Rc<Self>,
        reader: &Reader,
        time: &(impl Clock + Timer),
    ) -> Result<Permit, ApiError> {
        let (started, account) = (time.now(), reader.account());
        let mut waiting = None;
        loop {
            let now = time.now();
            let busy = match self.try_read(reader, now) {
                Ok(permit) => return Ok(permit),
                Err(busy) => busy,
            };
            let waited = now.since(started);
            if waited >= MAX_WAIT {
                return Err(busy.error());
            }
            if waiting.is_none() {
                let permit = self.wait(&account, now);
                waiting = Some(permit.ok_or_else(|| busy.error())?);
            }
            let poll = MIN_POLL
                .get()
                .max(self.waiting(&account) as u64 * POLL.get());
            let pace = if let Busy::Pace(wait) = busy {
                wait.get()
            } else {
                0
            };
            let left = MAX_WAIT.get() - waited.get();
            time.sleep(Millis::new(poll.max(pace).min(left))).await;
        }
    }

    /// A permit to read for a route that waits before it reads; an uncounted one without a reader.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn read_for(
        self: &Rc<Self>,
        reader: Option<&Reader>,
        time: &(impl Clock + Timer),
    ) -> Result<Rc<Permit>, ApiError> {
        match reader {
            None => Ok(Rc::default()),
            Some(reader) => self.read(reader, time).await.map(Rc::new),
        }
    }

    /// Delays the refusal of a read by a rate limit.
    pub async fn delay_refusal(self: &Rc<Self>, time: &(impl Clock + Timer)) {
        // The caller is not known, so all of them are counted together.
        if let Some(_waiting) = self.wait(&"".into(), time.now()) {
            time.sleep(REFUSAL_DELAY).await;
        }
    }

    /// The counts of this isolate.
    pub fn counts(&self) -> Counts {
        let state = self.0.borrow();
        let count = |work| state.permits.values().filter(|it| it.work == work).count();
        Counts {
            bytes: state.bytes,
            peak: state.peak,
            pages: count(Work::Read(ReadKind::Page)) + count(Work::Read(ReadKind::Visitor)),
            exports: count(Work::Read(ReadKind::Export)),
            waiting: count(Work::Waiting),
            requests: count(Work::Request),
        }
    }

    fn try_read(self: &Rc<Self>, reader: &Reader, now: Timestamp) -> Result<Permit, Busy> {
        let work = Work::Read(reader.kind);
        let (of_tenant, of_key) = match reader.kind {
            ReadKind::Page => (MAX_TENANT_READS, MAX_KEY_READS),
            ReadKind::Export => (MAX_TENANT_EXPORTS, MAX_KEY_EXPORTS),
            ReadKind::Visitor => (MAX_VISITORS_READS, MAX_VISITOR_READS),
        };
        let is_full = |state: &State| {
            let tenant = || state.of(&reader.tenant).filter(|it| it.work == work);
            let keys = tenant().filter(|it| it.key == reader.key);
            tenant().count() >= of_tenant || keys.count() >= of_key
        };
        let wait = self.0.borrow().paced_for(&reader.account(), now);
        if wait.get() > 0 {
            return Err(Busy::Pace(wait));
        }
        if is_full(&self.0.borrow()) {
            self.0.borrow_mut().sweep(now);
            if is_full(&self.0.borrow()) {
                return Err(Busy::Reads(reader.kind));
            }
        }
        self.with_room(&reader.tenant, READ_BYTES, now)?;
        Ok(self.enter(Entry {
            tenant: reader.tenant.clone(),
            key: reader.key.clone(),
            work,
            bytes: READ_BYTES,
            expires: now.plus(READ_LEASE),
        }))
    }

    /// The permit of a waiting read; none if too many of the tenant wait.
    fn wait(self: &Rc<Self>, tenant: &Rc<str>, now: Timestamp) -> Option<Permit> {
        if self.waiting(tenant) >= MAX_TENANT_WAITING {
            self.0.borrow_mut().sweep(now);
        }
        let has_room = self.waiting(tenant) < MAX_TENANT_WAITING;
        has_room.then(|| {
            self.enter(Entry {
                tenant: tenant.clone(),
                key: "".into(),
                work: Work::Waiting,
                bytes: 0,
                expires: now.plus(MAX_WAIT).plus(MAX_WAIT),
            })
        })
    }

    /// The number of waiting reads of a tenant.
    fn waiting(&self, tenant: &str) -> usize {
        let state = self.0.borrow();
        let waiting = state.of(tenant).filter(|it| it.work == Work::Waiting);
        waiting.count()
    }

    /// Checks that there is room for `bytes` of a tenant.
    fn with_room(&self, tenant: &str, bytes: usize, now: Timestamp) -> Result<(), Busy> {
        let check = |state: &State| {
            if state.bytes + bytes > MAX_BYTES {
                return Err(Busy::Isolate);
            }
            let has_room = tenant.is_empty() || state.held(tenant) + bytes <= MAX_TENANT_BYTES;
            has_room.then_some(()).ok_or(Busy::Share)
        };
        let first = check(&self.0.borrow());
        first.or_else(|_| {
            self.0.borrow_mut().sweep(now);
            check(&self.0.borrow())
        })
    }

    fn enter(self: &Rc<Self>, entry: Entry) -> Permit {
        let mut state = self.0.borrow_mut();
        state.next_id += 1;
        let id = state.next_id;
        state.count(&entry.tenant, 0, entry.bytes);
        state.permits.insert(id, entry);
        Permit(Some((self.clone(), id)))
    }
}

impl State {
    fn of<'a>(&'a self, tenant: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.permits
            .values()
            .filter(move |entry| &*entry.tenant == tenant)
    }

    /// The bytes that a tenant holds.
    fn held(&self, tenant: &str) -> usize {
        self.held.get(tenant).copied().unwrap_or_default()
    }

    /// Counts a change of what a tenant holds.
    fn count(&mut self, tenant: &Rc<str>, before: usize, after: usize) {
        self.bytes = self.bytes.saturating_sub(before) + after;
        self.peak = self.peak.max(self.bytes);
        let held = self.held(tenant).saturating_sub(before) + after;
        if held == 0 {
            self.held.remove(tenant);
        } else {
            self.held.insert(tenant.clone(), held);
        }
    }

    fn remove(&mut self, id: u64) {
        if let Some(entry) = self.permits.remove(&id) {
            self.count(&entry.tenant, entry.bytes, 0);
        }
    }

    /// Ends permits whose requests the runtime has cancelled.
    fn sweep(&mut self, now: Timestamp) {
        let expired = self.permits.iter().filter(|(_, it)| it.expires <= now);
        let expired: Vec<u64> = expired.map(|(id, _)| *id).collect();
        for id in expired {
            self.remove(id);
        }
    }

    /// How long a tenant has to wait for its next read.
    fn paced_for(&self, tenant: &str, now: Timestamp) -> Millis {
        let paid_at = self.paced.get(tenant).copied().unwrap_or_default();
        let earliest = now.plus(READ_BURST);
        if paid_at > earliest {
            paid_at.since(earliest)
        } else {
            Millis::default()
        }
    }

    /// Counts bytes that a tenant has read.
    fn pay(&mut self, tenant: Rc<str>, bytes: usize, now: Timestamp) {
        if self.paced.len() >= MAX_PACED {
            self.paced.retain(|_, paid_at| *paid_at > now);
        }
        let cost = Millis::new(bytes.max(MIN_READ_BYTES) as u64 / READ_RATE);
        let paid_at = self.paced.entry(tenant).or_default();
        *paid_at = (*paid_at).max(now).plus(cost);
    }
}

/// The right to hold something; it ends when the permit is dropped.
#[derive(Debug, Default)]
pub struct Permit(Option<(Rc<Load>, u64)>);

impl Permit {
    /// A permit for what needs none: small, bounded work, and tests.
    pub const fn uncounted() -> Self {
        Self(None)
    }

    /// Changes the counted bytes. What is in memory already is counted even if it is too much.
    pub fn resize(&self, bytes: usize) {
        self.change(|entry| entry.bytes = bytes);
    }

    /// Counts more bytes.
    pub fn add(&self, bytes: usize) {
        self.change(|entry| entry.bytes += bytes);
    }

    /// Counts fewer bytes.
    pub fn subtract(&self, bytes: usize) {
        self.change(|entry| entry.bytes = entry.bytes.saturating_sub(bytes));
    }

    /// Counts more bytes if there is room for them.
    ///
    /// # Errors
    /// As [`Load::hold`].
    pub fn grow(&self, bytes: usize, now: Timestamp) -> Result<(), ApiError> {
        if let Some((load, id)) = &self.0 {
            let tenant = load.0.borrow().permits.get(id).map(|it| it.tenant.clone());
            if let Some(tenant) = tenant {
                let checked = load.with_room(&tenant, bytes, now);
                checked.map_err(Busy::error)?;
            }
        }
        self.add(bytes);
        Ok(())
    }

    /// Counts `after` bytes in place of `before`, if there is room for them.
    ///
    /// # Errors
    /// As [`Load::hold`]. `before` is no longer counted.
    pub fn replace(&self, before: usize, after: usize, now: Timestamp) -> Result<(), ApiError> {
        self.subtract(before);
        self.grow(after, now)
    }

    /// Counts more bytes until the result is dropped, if there is room for them.
    ///
    /// # Errors
    /// As [`Load::hold`].
    pub fn hold_more(
        self: &Rc<Self>,
        bytes: usize,
        now: Timestamp,
    ) -> Result<PermitPart, ApiError> {
        self.grow(bytes, now)?;
        Ok(PermitPart {
            permit: self.clone(),
            bytes,
        })
    }

    /// Extends the time for which the permit lasts.
    pub fn renew(&self, now: Timestamp) {
        self.change(|entry| entry.expires = entry.expires.max(now.plus(READ_LEASE)));
    }

    /// Whether nothing more should be buffered.
    pub fn is_full(&self) -> bool {
        let Some((load, id)) = &self.0 else {
            return false;
        };
        let state = load.0.borrow();
        let tenant = state.permits.get(id).map(|entry| &entry.tenant);
        state.bytes >= MAX_BYTES
            || tenant.is_some_and(|tenant| state.held(tenant) >= MAX_TENANT_BYTES)
    }

    /// Counts bytes that were read against the reader's rate. Does nothing for other work.
    pub fn pay(&self, bytes: usize, now: Timestamp) {
        if let Some((load, id)) = &self.0 {
            let mut state = load.0.borrow_mut();
            if let Some(account) = state.permits.get(id).and_then(Entry::reading_account) {
                state.pay(account, bytes, now);
            }
        }
    }

    /// Waits until the tenant may read on.
    pub async fn pace(&self, time: &(impl Clock + Timer)) {
        while let Some(wait) = self.paced_for(time.now()) {
            time.sleep(wait).await;
            self.renew(time.now());
        }
    }

    fn paced_for(&self, now: Timestamp) -> Option<Millis> {
        let (load, id) = self.0.as_ref()?;
        let state = load.0.borrow();
        let wait = state.paced_for(&state.permits.get(id)?.reading_account()?, now);
        (wait.get() > 0).then_some(wait)
    }

    fn change(&self, change: impl FnOnce(&mut Entry)) {
        if let Some((load, id)) = &self.0 {
            let mut state = load.0.borrow_mut();
            if let Some(entry) = state.permits.get_mut(id) {
                let before = entry.bytes;
                change(entry);
                let (tenant, after) = (entry.tenant.clone(), entry.bytes);
                state.count(&tenant, before, after);
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some((load, id)) = self.0.take() {
            load.0.borrow_mut().remove(id);
        }
    }
}

/// A part of the bytes of a permit; it ends when it is dropped.
#[derive(Debug)]
pub struct PermitPart {
    permit: Rc<Permit>,
    bytes: usize,
}

impl Drop for PermitPart {
    fn drop(&mut self) {
        self.permit.subtract(self.bytes);
    }
}

#[cfg(test)]
mod tests;
