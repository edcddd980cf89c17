//! Metrics for Prometheus: (name, help, type, [(suffix of the name, labels, value)]).

use std::collections::HashMap;

use packstone_posix::Service;
use packstone_s3::{Counts, front};
use packstone_store::compression::{Compressed, Method};
use packstone_store::drive::DriveState;
use packstone_store::status::Status;

use crate::status::seconds;

pub type Sample = (String, HashMap<String, String>, f64);
pub type Metric = (String, String, String, Vec<Sample>);

fn family(kind: &str, name: &str, help: &str, samples: Vec<Sample>) -> Metric {
    (format!("packstone_{name}"), help.into(), kind.into(), samples)
}

/// A metric whose samples all bear the suffix that belongs to its type.
fn metric(kind: &str, name: &str, help: &str, mut samples: Vec<Sample>) -> Metric {
    if kind == "counter" {
        samples.iter_mut().for_each(|(suffix, ..)| "_total".clone_into(suffix));
    }
    family(kind, name, help, samples)
}

fn one(value: f64) -> Vec<Sample> {
    vec![(String::new(), HashMap::new(), value)]
}

fn labelled<const N: usize>(labels: [(&str, &str); N], value: f64) -> Sample {
    (String::new(), labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(), value)
}

/// Everything at once; `counts` where the S3 front serves, `files` where files are served.
pub fn gather(status: &Status, counts: Option<&Counts>, files: Option<&Service>) -> Vec<Metric> {
    let mut metrics = store(status);
    metrics.extend(drives(status));
    if let Some(counts) = counts {
        metrics.extend(requests(counts));
    }
    if let Some(files) = files {
        metrics.extend(of_files(files));
    }
    metrics
}

fn of_files(files: &Service) -> Vec<Metric> {
    let (pieces, bytes) = files.merged();
    let remote = files.remote_connections();
    vec![
        metric("gauge", "mount_remote_connections", "Connections of mounts on other machines.", one(remote as f64)),
        metric(
            "counter",
            "merged_pieces",
            "Pieces of large files that there are fewer because they were merged in the background, since start.",
            one(pieces as f64),
        ),
        metric(
            "counter",
            "merged_bytes",
            "Bytes of files that were written to merge pieces in the background, since start.",
            one(bytes as f64),
        ),
    ]
}

fn store(status: &Status) -> Vec<Metric> {
    let journal = &status.journal;
    let of_pools = |value: fn(&packstone_store::status::PoolStatus) -> f64| {
        status.pools.iter().map(|pool| labelled([("pool", &pool.name)], value(pool))).collect()
    };
    let of_buckets = |value: fn(&packstone_store::status::BucketUsage) -> f64| {
        status.buckets.iter().map(|bucket| labelled([("bucket", &bucket.name)], value(bucket))).collect()
    };
    let of_quotas = |value: fn(&packstone_store::quota::Quota) -> Option<u64>| {
        let limited = status.buckets.iter().filter_map(|bucket| Some((bucket, value(&bucket.quota)?)));
        limited.map(|(bucket, limit)| labelled([("bucket", &bucket.name)], limit as f64)).collect()
    };
    let of_methods = |value: fn(&Compressed) -> f64| {
        let of = |(method, compressed): &(Method, Compressed)| {
            labelled([("compression", method.label())], value(compressed))
        };
        status.compressed.iter().map(of).collect()
    };
    vec![
        metric("gauge", "bucket_objects", "Objects in a bucket.", of_buckets(|bucket| bucket.objects as f64)),
        metric(
            "gauge",
            "bucket_bytes",
            "Bytes of a bucket's objects as sent.",
            of_buckets(|bucket| bucket.bytes as f64),
        ),
        metric("gauge", "bucket_uploads", "Open uploads in a bucket.", of_buckets(|bucket| bucket.uploads as f64)),
        metric(
            "counter",
            "abandoned_uploads",
            "Uploads that were aborted because nobody completed them, since start.",
            one(status.abandoned_uploads as f64),
        ),
        metric(
            "gauge",
            "renamed_directories",
            "Directories that were renamed and whose keys have not all moved.",
            one(status.redirects as f64),
        ),
        metric(
            "gauge",
            "bucket_quota_bytes",
            "Bytes that a bucket may hold, where it has such a quota.",
            of_quotas(|quota| quota.bytes),
        ),
        metric(
            "gauge",
            "bucket_quota_objects",
            "Objects that a bucket may hold, where it has such a quota.",
            of_quotas(|quota| quota.objects),
        ),
        metric(
            "counter",
            "quota_refusals",
            "Requests that a quota refused, since start.",
            one(status.quota_refusals as f64),
        ),
        metric(
            "gauge",
            "pool_bytes",
            "Bytes of records in a pool, without parity.",
            of_pools(|pool| pool.bytes as f64),
        ),
        metric(
            "gauge",
            "pool_dead_bytes",
            "Of these, bytes that no live record claims.",
            of_pools(|pool| pool.dead as f64),
        ),
        metric(
            "gauge",
            "pool_degraded_segments",
            "Segments of a pool that lack a shard, or have one on a drive that is out of use.",
            of_pools(|pool| pool.degraded as f64),
        ),
        metric(
            "gauge",
            "pool_crowded_segments",
            "Segments of which one enclosure has more shards than parity makes good.",
            of_pools(|pool| pool.crowded as f64),
        ),
        metric(
            "gauge",
            "pool_has_room",
            "1 while the pool takes new data.",
            of_pools(|pool| f64::from(u8::from(pool.room))),
        ),
        metric(
            "gauge",
            "displaced_bytes",
            "Bytes that are known to stand in another pool than the one that they belong to.",
            one(status.moving.displaced as f64),
        ),
        metric(
            "counter",
            "moved_bytes",
            "Bytes that were moved between pools since start.",
            one(status.moving.moved as f64),
        ),
        metric(
            "gauge",
            "healing_open_shards",
            "Shards that are known to be missing and have a drive to go to.",
            one(status.healing.open as f64),
        ),
        metric(
            "gauge",
            "healing_stuck_shards",
            "Of these, shards that could not be made lately.",
            one(status.healing.stuck as f64),
        ),
        metric(
            "counter",
            "healed_shards",
            "Shards that were made anew, since start.",
            one(status.healing.healed as f64),
        ),
        metric("counter", "healed_bytes", "Bytes of these shards.", one(status.healing.bytes as f64)),
        metric(
            "counter",
            "healing_lost",
            "Places in shards that were made anew which too few others had, since start.",
            one(status.healing.lost as f64),
        ),
        metric(
            "gauge",
            "lost_objects",
            "Objects that too few shards are left of to be read.",
            one(status.healing.lost_objects as f64),
        ),
        metric(
            "gauge",
            "scrub_pass_ratio",
            "How much of this pass over all segments is done, from 0 to 1.",
            one(status.scrubbing.done as f64 / status.scrubbing.total.max(1) as f64),
        ),
        metric(
            "gauge",
            "scrub_last_pass_seconds",
            "When the last whole pass ended, in seconds since 1970 by the compliance clock; 0 for none.",
            one(seconds(status.scrubbing.last_ended)),
        ),
        metric(
            "counter",
            "scrubbed_segments",
            "Segments that were verified, since start.",
            one(status.scrubbing.segments as f64),
        ),
        metric(
            "counter",
            "scrub_faults",
            "Shards and records that scrubbing found wrong, since start.",
            one(status.scrubbing.faults as f64),
        ),
        metric("gauge", "checkpoints", "Checkpoints of the index that are kept.", one(status.checkpoints.kept as f64)),
        metric("gauge", "checkpoint_bytes", "Bytes of these, without parity.", one(status.checkpoints.bytes as f64)),
        metric(
            "gauge",
            "checkpoint_taken_seconds",
            "When the newest checkpoint was taken, in seconds since 1970; 0 for none.",
            one(seconds(status.checkpoints.taken)),
        ),
        metric(
            "gauge",
            "checkpoint_unseen_entries",
            "Entries that a start without an index would read beside the newest checkpoint.",
            one(status.checkpoints.unseen as f64),
        ),
        metric(
            "counter",
            "checkpoint_failures",
            "Checkpoints that could not be taken, since start.",
            one(status.checkpoints.failures as f64),
        ),
        metric("gauge", "pool_segments", "Segments of a pool.", of_pools(|pool| pool.segments as f64)),
        metric("gauge", "pool_online_drives", "Drives of a pool that are in use.", of_pools(|pool| pool.online as f64)),
        metric("counter", "journal_lsn", "The newest durable LSN.", one(journal.lsn as f64)),
        metric(
            "gauge",
            "journal_epoch",
            "The epoch; it rises with each start and each fenced drive.",
            one(journal.epoch as f64),
        ),
        metric(
            "gauge",
            "compliance_clock_seconds",
            "The time that retention goes by, in seconds since 1970.",
            one(seconds(status.clock.compliance)),
        ),
        metric(
            "gauge",
            "compliance_clock_lag_seconds",
            "How far it is behind the machine's clock.",
            one(seconds(status.clock.lag())),
        ),
        metric("gauge", "journal_files", "Journal files that are not sealed.", one(journal.files as f64)),
        metric("gauge", "journal_bytes", "Bytes in journal files that are not sealed.", one(journal.bytes as f64)),
        metric("gauge", "index_bytes", "Bytes of the index on its drive.", one(status.index_bytes as f64)),
        metric("gauge", "accepting_writes", "1 while there is room for writes.", one(f64::from(u8::from(status.room)))),
        metric("gauge", "dictionaries", "Dictionaries of all buckets.", one(status.dictionaries as f64)),
        metric(
            "counter",
            "dictionaries_trained",
            "Dictionaries that were trained since start.",
            one(status.trained_dictionaries as f64),
        ),
        metric(
            "counter",
            "small_object_bytes",
            "Bytes of small objects as sent since start, by how they were compressed.",
            of_methods(|compressed| compressed.sent as f64),
        ),
        metric(
            "counter",
            "small_object_stored_bytes",
            "What was stored of them, before it was encrypted.",
            of_methods(|compressed| compressed.stored as f64),
        ),
        metric("counter", "cache_hits", "Reads answered from RAM.", one(status.cache_hits as f64)),
        metric(
            "counter",
            "cache_misses",
            "Reads that went to a drive or its page cache.",
            one(status.cache_misses as f64),
        ),
    ]
}

fn drives(status: &Status) -> Vec<Metric> {
    let of = |value: fn(&packstone_store::status::DriveStatus) -> f64| {
        status
            .drives
            .iter()
            .map(|drive| labelled([("drive", &drive.path), ("pool", &drive.pool)], value(drive)))
            .collect()
    };
    let online = |drive: &packstone_store::status::DriveStatus| f64::from(u8::from(drive.state == DriveState::Online));
    vec![
        metric("gauge", "drive_online", "1 while the drive is in use.", of(online)),
        metric(
            "counter",
            "drive_faults",
            "Faults that parity or a copy made good, since start.",
            of(|drive| drive.faults as f64),
        ),
        metric("gauge", "drive_total_bytes", "Size of the drive's file system.", of(|drive| drive.total as f64)),
        metric("gauge", "drive_free_bytes", "Free in the drive's file system.", of(|drive| drive.free as f64)),
        metric(
            "gauge",
            "drive_used_bytes",
            "Bytes of shards and journals on the drive.",
            of(|drive| drive.used as f64),
        ),
        metric(
            "gauge",
            "drive_files",
            "Shards and journals that are named on the drive.",
            of(|drive| drive.files as f64),
        ),
        metric(
            "gauge",
            "drive_slow",
            "1 while the drive is passed over for being much slower than others.",
            of(|drive| f64::from(u8::from(drive.slow))),
        ),
        metric(
            "gauge",
            "drive_leaving",
            "1 while the drive is to be emptied.",
            of(|drive| f64::from(u8::from(drive.leaving))),
        ),
    ]
}

fn requests(counts: &Counts) -> Vec<Metric> {
    let mut by_outcome = Vec::new();
    for verb in &counts.verbs {
        for (outcome, count) in front::Outcome::ALL.iter().zip(verb.requests) {
            if count > 0 {
                by_outcome.push(labelled([("verb", verb.verb.name()), ("outcome", outcome.label())], count as f64));
            }
        }
    }
    let took = counts.verbs.iter().filter(|verb| verb.latency.iter().any(|count| *count > 0));
    vec![
        metric("counter", "s3_requests", "S3 requests, by verb and how they ended.", by_outcome),
        family(
            "histogram",
            "s3_request_duration_seconds",
            "Time until an S3 request's answer was sent.",
            took.flat_map(duration).collect(),
        ),
        metric("counter", "s3_received_bytes", "Bytes of request bodies.", one(counts.bytes_in as f64)),
        metric("counter", "s3_sent_bytes", "Bytes of answers' bodies.", one(counts.bytes_out as f64)),
        metric(
            "gauge",
            "s3_requests_in_flight",
            "Requests whose answers aren't sent yet.",
            one(counts.in_flight as f64),
        ),
        metric("gauge", "s3_connections", "Open client connections.", one(counts.connections as f64)),
        metric(
            "counter",
            "s3_log_lines_delivered",
            "Lines of buckets' access logs that were put into their targets.",
            one(counts.lines_delivered as f64),
        ),
        metric(
            "counter",
            "s3_log_lines_lost",
            "Lines of buckets' access logs that could not be delivered.",
            one(counts.lines_lost as f64),
        ),
    ]
}

/// The histogram of one verb.
fn duration(verb: &front::VerbCounts) -> Vec<Sample> {
    let name = verb.verb.name();
    let mut total = 0;
    let bounds = front::LATENCY_BOUNDS.iter().map(|micros| format!("{}", *micros as f64 / 1e6));
    let mut samples: Vec<Sample> = bounds
        .chain(["+Inf".to_owned()])
        .zip(verb.latency)
        .map(|(bound, count)| {
            total += count;
            suffixed("_bucket", labelled([("verb", name), ("le", &bound)], total as f64))
        })
        .collect();
    samples.push(suffixed("_sum", labelled([("verb", name)], verb.latency_sum as f64 / 1e6)));
    samples.push(suffixed("_count", labelled([("verb", name)], total as f64)));
    samples
}

fn suffixed(suffix: &str, (_, labels, value): Sample) -> Sample {
    (suffix.to_owned(), labels, value)
}
