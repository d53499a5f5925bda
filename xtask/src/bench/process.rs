//! CPU and memory of a process.

use std::fs;

use anyhow::{Context, Result};

use super::figures::as_f64;

/// Ticks per second in `/proc/<pid>/stat`: `USER_HZ`, which is 100 on all architectures of Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time of a process in seconds: user and kernel mode, all threads.
pub(super) fn cpu_seconds(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| {
        format!("can't read {path}: the benchmark needs Linux and a running Worker")
    })?;
    let ticks = cpu_ticks(&stat).with_context(|| format!("{path} has an unknown format"))?;
    Ok(as_f64(ticks) / TICKS_PER_SECOND)
}

/// Resident memory of a process in MiB.
pub(super) fn resident_mib(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("can't read {path}"))?;
    let kib = resident_kib(&status).with_context(|| format!("{path} has an unknown format"))?;
    Ok(as_f64(kib) / 1024.0)
}

/// `utime + stime`, fields 14 and 15. Counts from the closing parenthesis of field 2, the program's name,
/// which may contain spaces and parentheses.
fn cpu_ticks(stat: &str) -> Option<usize> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: usize = fields.next()?.parse().ok()?;
    let kernel: usize = fields.next()?.parse().ok()?;
    Some(user + kernel)
}

fn resident_kib(status: &str) -> Option<usize> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{cpu_ticks, resident_kib};

    #[test]
    fn program_names_may_contain_parentheses() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 900 0 0 0 120 34 0 0 20 0 9 0 100 1 2 3";
        assert_eq!(cpu_ticks(stat), Some(154));
        assert_eq!(
            resident_kib("Name:\tx\nVmHWM:\t 9 kB\nVmRSS:\t  2048 kB\n"),
            Some(2048)
        );
        assert_eq!(cpu_ticks("nothing"), None);
    }
}
