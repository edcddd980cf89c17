//! What the server's processes cost: processor time and memory, as the kernel counts them.

use std::{fs, io, ops::Sub};

use nix::{
    time::clock_getcpuclockid,
    unistd::{Pid, SysconfVar, sysconf},
};
use serde::Serialize;

/// Processor time since the processes started, in seconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct CpuTime {
    /// User and system time of all threads, past ones too, to the nanosecond.
    pub total: f64,
    /// In steps of the kernel's clock tick (10 ms).
    pub user: f64,
    /// In steps of the kernel's clock tick (10 ms).
    pub system: f64,
}

impl Sub for CpuTime {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { total: self.total - earlier.total, user: self.user - earlier.user, system: self.system - earlier.system }
    }
}

/// Memory of the processes, in bytes.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Memory {
    /// `VmRSS`: resident now.
    pub resident: u64,
    /// `VmHWM`: the most that was ever resident, or since the mark was last reset.
    pub resident_peak: u64,
    /// `RssAnon`: the part of `resident` that no file backs.
    pub anonymous: u64,
}

/// The sum over `pids`.
pub fn cpu_time(pids: &[i32]) -> io::Result<CpuTime> {
    let tick = sysconf(SysconfVar::CLK_TCK)?.unwrap_or(100) as f64;
    let mut sum = CpuTime::default();
    for pid in pids {
        let now = clock_getcpuclockid(Pid::from_raw(*pid))?.now()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The command's name stands in parentheses and may hold anything; utime and stime are fields 14 and 15.
        let fields = stat.rsplit_once(')').map(|(_, fields)| fields).unwrap_or_default();
        let mut ticks = fields.split_ascii_whitespace().skip(11).map(|field| field.parse().unwrap_or(0.0));
        sum.total += now.tv_sec() as f64 + now.tv_nsec() as f64 / 1e9;
        sum.user += ticks.next().unwrap_or(0.0) / tick;
        sum.system += ticks.next().unwrap_or(0.0) / tick;
    }
    Ok(sum)
}

/// The sum over `pids`; pages that processes share are counted in each.
pub fn memory(pids: &[i32]) -> io::Result<Memory> {
    let mut sum = Memory::default();
    for pid in pids {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        sum.resident += field(&status, "VmRSS:");
        sum.resident_peak += field(&status, "VmHWM:");
        sum.anonymous += field(&status, "RssAnon:");
    }
    Ok(sum)
}

/// A size from `/proc/PID/status`, which counts in KiB, in bytes; 0 when it is not there.
fn field(status: &str, name: &str) -> u64 {
    let value = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    value.split_ascii_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}
