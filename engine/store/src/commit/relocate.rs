//! Moving rows to where compaction copied their entries: a compare-and-set on (LSN, file) that touches the index alone.

use super::{Core, Relocation};
use crate::error::Result;
use crate::index::place::Standing;
use crate::index::tallies::Tallies;
use crate::index::{IndexBatch, Place, Row, Snapshot, Space, keys, row};
use crate::journal::Target;

impl Core {
    /// Moves rows that still are what was copied; the others are dead there from the start.
    pub(super) fn relocate(&mut self, moves: &[Relocation]) -> Result<usize> {
        // An amendment stands in the row of its version, which may be moved here, too: one after the other.
        let (amendments, rows): (Vec<_>, Vec<_>) =
            moves.iter().partition(|step| matches!(step.place, Place::Amendment { .. }));
        Ok(self.relocate_apart(&rows)? + self.relocate_apart(&amendments)?)
    }

    /// Moves what stands in different rows.
    fn relocate_apart(&mut self, moves: &[&Relocation]) -> Result<usize> {
        let snapshot = self.shared.index.snapshot();
        let mut batch = IndexBatch::default();
        let mut tallies = Tallies::default();
        let mut moved = 0;
        for step in moves {
            match step.place.find(&*snapshot, step.lsn)? {
                Some(standing) if standing.home == step.from => {
                    move_row(step, standing, &*snapshot, &mut batch, &mut tallies)?;
                    moved += 1;
                }
                // It was moved already, by a run that a crash cut short.
                Some(_) => {}
                None => {
                    let killer = snapshot.get(Space::Dead, &keys::dead(step.from, step.lsn))?;
                    if let Some(killer) = killer {
                        batch.put(Space::Dead, keys::dead(step.to, step.lsn), killer.to_vec());
                        tallies.file(&*snapshot, step.to)?.dead += 1;
                    }
                }
            }
        }
        tallies.write(&mut batch);
        self.shared.index.write(batch)?;
        Ok(moved)
    }
}

/// Writes a row as it stands at its new place.
///
/// # Errors
/// A fault of the index.
pub(crate) fn move_row(
    step: &Relocation,
    standing: Standing,
    snapshot: &dyn Snapshot,
    batch: &mut IndexBatch,
    tallies: &mut Tallies,
) -> Result<()> {
    let Standing { space, key, value, .. } = standing;
    if matches!(step.place, Place::Amendment { .. }) {
        let mut row = Row::decode_whole(&value, snapshot)?;
        row.amendment = Some(Target { lsn: step.lsn, file: step.to });
        batch.put(space, key, row.encode().0);
        return Ok(());
    }
    let Some(extents) = &step.extents else {
        batch.put(space, key, row::moved(&value, step.to));
        return Ok(());
    };
    let mut row = Row::decode_whole(&value, snapshot)?;
    tallies.claim(snapshot, &row.record.extents, false)?;
    tallies.claim(snapshot, extents, true)?;
    row.record.extents.clone_from(extents);
    row.home = step.to;
    let (value, apart) = row.encode();
    batch.put(space, key, value);
    apart.into_iter().for_each(|(key, value)| batch.put(Space::Extents, key, value));
    Ok(())
}
