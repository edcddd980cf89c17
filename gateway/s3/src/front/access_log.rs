//! The node's access log: a file with one line a request.
//!
//! Concurrency: requests put lines into a bounded queue and never wait; one thread takes them out and writes them.
//! When the disk is slower than the requests, lines are dropped and their number is written in their place: this is
//! a log for operators, not the audit trail.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use super::line::Line;

/// Lines that may wait for the writer.
const QUEUE: usize = 8192;

/// A log that requests write lines to. The file is flushed whenever the queue is empty.
#[derive(Clone)]
pub struct AccessLog {
    queue: SyncSender<Arc<Line>>,
    dropped: Arc<AtomicU64>,
}

impl AccessLog {
    /// Opens `path` for appending and starts the writer. A file that is made is for its owner alone.
    ///
    /// # Errors
    /// When the file can't be opened, or no thread can be had.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        let (queue, lines) = sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&dropped);
        std::thread::Builder::new().name("access-log".into()).spawn(move || write_lines(file, &lines, &counter))?;
        Ok(Self { queue, dropped })
    }

    pub(super) fn write(&self, line: Arc<Line>) {
        if let Err(TrySendError::Full(_)) = self.queue.try_send(line) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Ends when the last [`AccessLog`] of its queue is dropped.
fn write_lines(file: File, lines: &Receiver<Arc<Line>>, dropped: &AtomicU64) {
    let mut out = BufWriter::with_capacity(64 << 10, file);
    let mut failed = false;
    let mut text = String::new();
    while let Ok(first) = lines.recv() {
        let mut next = Some(first);
        let mut result = Ok(());
        while let Some(line) = next {
            text.clear();
            line.format(&mut text);
            result = result.and(out.write_all(text.as_bytes()));
            next = lines.try_recv().ok();
        }
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            result = result.and(writeln!(out, "- {lost} lines were dropped"));
        }
        match result.and_then(|()| out.flush()) {
            Ok(()) => failed = false,
            // Said once, not once a line: the disk is full or gone, and requests go on.
            Err(error) if !failed => {
                tracing::warn!(%error, "the access log can't be written");
                failed = true;
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
