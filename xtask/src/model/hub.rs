//! Downloads from the model hub.

use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::progress::Progress;

/// Timeout of the connection and of the response headers. Short, since there is another source.
const TIMEOUT: Duration = Duration::from_secs(6);

/// Downloads `address` into the file `to`.
pub(super) fn fetch(
    address: &str,
    to: &Path,
    title: &str,
    size: u64,
    progress: &Progress,
) -> Result<()> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_resolve(Some(TIMEOUT))
        .timeout_connect(Some(TIMEOUT))
        .timeout_recv_response(Some(TIMEOUT))
        .build()
        .into();
    let mut response = agent.get(address).call()?;
    let task = progress.transfer(format!("{title} from the model hub"), size);
    let mut body = response
        .body_mut()
        .with_config()
        .limit(size.saturating_add(1))
        .reader();
    let mut file = File::create(to).with_context(|| format!("can't write {}", to.display()))?;
    let mut buffer = vec![0; 1 << 16];
    let mut total = 0;
    loop {
        let read = body.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        file.write_all(buffer.get(..read).unwrap_or_default())
            .with_context(|| format!("can't write {}", to.display()))?;
        total += read as u64;
        task.transferred(total);
    }
    ensure!(
        total == size,
        "the download ended after {total} of {size} bytes"
    );
    task.done();
    Ok(())
}
