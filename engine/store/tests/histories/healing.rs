//! Healing in histories, and what it owes: once every drive is back and every wound healed, any other m drives may be lost.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use packstone_store::commit::{Op, Outcome};
use packstone_store::drive::DriveNumber;
use packstone_store::drive::simulated::Faults;
use packstone_store::healing;
use packstone_store::recovery::admission::{clear_leftovers, examine};
use packstone_store::segment::{Home, Wound};

use crate::node::pick;
use crate::run::{Life, Run, Step};

impl Run {
    /// Heals some of what a survey finds, as the keeper does it.
    pub fn heal(&mut self, life: &mut Life) -> Step {
        let shared = life.core.shared.clone();
        let mut wounds = healing::survey(&shared, &shared.hardware.online(), &|_| true);
        wounds.append(&mut shared.hardware.wounds.take());
        let order = healing::choose(&healing::patients(&shared, &wounds));
        let most = self.below(4) as usize + 1;
        self.say(|| format!("healing {order:?}, {most} of them at most"));
        for wound in order.into_iter().take(most) {
            self.heal_one(life, wound)?;
        }
        Ok(())
    }

    fn heal_one(&mut self, life: &mut Life, wound: Wound) -> Step {
        let shared = life.core.shared.clone();
        // What victims break meanwhile is tried again another time.
        let Ok(Some(healed)) = healing::heal(&shared, wound, &|_| true) else { return Ok(()) };
        match self.commit_for(life, healed.place())? {
            Outcome::Placed(true) => {}
            _ => healing::discard(&shared, &healed),
        }
        Ok(())
    }

    /// Has a drive come back that is out of use, while the node runs.
    pub fn bring_back(&mut self, life: &mut Life) -> Step {
        let shared = life.core.shared.clone();
        let roster = shared.hardware.roster().clone();
        let away: Vec<DriveNumber> =
            roster.members.values().filter(|member| !member.online()).map(|member| member.number).collect();
        let Some(number) = pick(&away, &mut self.generator).copied() else { return Ok(()) };
        let drive = self.node.drives[usize::from(number)].clone();
        if self.generator.happens(8000) {
            drive.set_faults(Faults::default());
        }
        match examine(&shared, Arc::new(drive), self.node.enclosure_of(usize::from(number))) {
            Ok(admission) => {
                self.say(|| format!("drive {number} comes back"));
                let member = admission.member.clone();
                let first = shared.next_file.load(Ordering::Relaxed);
                self.commit_for(life, Op::Admit(Box::new(admission)))?;
                if self.generator.happens(7000) {
                    // What fails is left for the next start.
                    let _ = clear_leftovers(&shared, &member, first);
                }
                Ok(())
            }
            Err(error) => {
                self.say(|| format!("drive {number} can't come back: {error}"));
                Ok(())
            }
        }
    }

    /// Has every segment stand so that the loss of an enclosure is borne, as healing does when nothing else is left.
    fn spread_out(&mut self, life: &mut Life) {
        let shared = life.core.shared.clone();
        for turn in 0.. {
            let Some((wound, to)) = healing::next_move(&shared, &HashMap::new()) else { break };
            assert!(turn < 10_000, "seed {}: shards are moved to and fro", self.seed);
            let moved = healing::move_shard(&shared, wound, to, &|_| true).unwrap().unwrap();
            assert_eq!(moved.lost, 0, "seed {}: {wound:?}", self.seed);
            let placed = self.commit_for(life, moved.place()).unwrap();
            assert!(matches!(placed, Outcome::Placed(true)), "seed {}: {placed:?}", self.seed);
        }
    }

    /// With every drive there and nobody harming them, makes everything whole, and then has others be harmed from here on.
    pub fn make_whole(&mut self, life: &mut Life) {
        let shared = life.core.shared.clone();
        self.node.heal_faults();
        for _ in 0..self.node.drives.len() {
            if self.bring_back(life).is_err() {
                return;
            }
        }
        if !shared.hardware.roster().members.values().all(|member| member.online()) {
            return;
        }
        if !self.seal_everything(life) {
            return;
        }
        for pass in 0.. {
            let table = shared.table.all();
            let mut ids: Vec<u64> = table.keys().copied().collect();
            ids.sort_unstable();
            let mut faults = Vec::new();
            for id in ids {
                if let Some(Home::Segment(segment)) = table.get(&id) {
                    faults.extend(segment.scrub(&shared.hardware, &|_| true));
                }
            }
            let mut wounds = healing::survey(&shared, &shared.hardware.online(), &|_| true);
            wounds.append(&mut shared.hardware.wounds.take());
            if wounds.is_empty() {
                assert_eq!(faults, Vec::<String>::new(), "seed {}: faults without a wound", self.seed);
                break;
            }
            assert!(pass < 4, "seed {}: {wounds:?} are not healed: {faults:?}", self.seed);
            for wound in healing::choose(&healing::patients(&shared, &wounds)) {
                let healed = healing::heal(&shared, wound, &|_| true).unwrap_or_else(|error| {
                    panic!("seed {}: {wound:?} can't be healed: {error}", self.seed);
                });
                let Some(healed) = healed else { continue };
                assert_eq!(healed.lost, 0, "seed {}: {wound:?}", self.seed);
                let placed = self.commit_for(life, healed.place()).unwrap();
                assert!(matches!(placed, Outcome::Placed(true)), "seed {}: {placed:?}", self.seed);
            }
        }
        self.spread_out(life);
        self.node.pick_victims(&mut self.generator);
        self.say(|| "all is whole: others may be harmed".into());
    }

    /// Seals every journal and stream; whether nothing stood against it.
    fn seal_everything(&mut self, life: &mut Life) -> bool {
        let mut idle = std::mem::take(&mut life.idle);
        life.retired.append(&mut idle);
        let mut sealed = self.commit_one(life, Op::CloseJournal).is_ok();
        while sealed && !life.core.shared.closed.lock().is_empty() {
            sealed = self.seal_journal(life).is_ok();
        }
        while sealed && !(life.retired.is_empty() && life.left_open.is_empty()) {
            sealed = self.seal_streams(life).is_ok();
        }
        sealed
    }
}
