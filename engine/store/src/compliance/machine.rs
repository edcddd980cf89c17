//! The clocks of the machine that this process runs on.

use std::fs;
use std::io;

use rustix::time::{ClockId, clock_gettime};

use super::{Clock, Moment};

#[derive(Clone, Copy, Debug)]
pub struct MachineClock {
    boot: u128,
}

impl MachineClock {
    /// # Errors
    /// The kernel doesn't say which start of the machine this is.
    pub fn new() -> io::Result<Self> {
        let id = fs::read("/proc/sys/kernel/random/boot_id")?;
        // In a time namespace the boot time has an offset that who starts the process chooses: with another offset it is
        // another machine's. Kernels without these have no such file.
        let offsets = fs::read("/proc/self/timens_offsets").unwrap_or_default();
        let mut hasher = blake3::Hasher::new();
        hasher.update(&id).update(&offsets);
        let mut boot = [0; 16];
        hasher.finalize_xof().fill(&mut boot);
        Ok(Self { boot: u128::from_le_bytes(boot) })
    }
}

impl Clock for MachineClock {
    fn moment(&self) -> Moment {
        let since_start = clock_gettime(ClockId::Boottime);
        let boottime = since_start.tv_sec.saturating_mul(1_000_000_000).saturating_add(since_start.tv_nsec);
        Moment { wall: crate::time::now(), boottime, boot: self.boot }
    }
}
