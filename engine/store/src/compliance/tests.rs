#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use super::*;
use crate::codec::{Reader, Writer};
use crate::recovery::RecoveryError;

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * SECOND;
const YEAR: i64 = 365 * DAY;
const WEEK: i64 = 7 * DAY;
const START: i64 = 4_000_000_000 * SECOND;

/// A machine whose clocks a test moves, and the compliance clock on it.
struct Machine {
    moment: Moment,
    reading: Reading,
}

impl Machine {
    fn new() -> Self {
        let moment = Moment { wall: START, boottime: 100 * SECOND, boot: 1 };
        Self { moment, reading: Reading::begin(moment).unwrap() }
    }

    fn at_full_allowance() -> Self {
        let mut machine = Self::new();
        machine.run(YEAR);
        assert_eq!(machine.reading.allowance, WEEK);
        machine
    }

    /// The machine is up for so long.
    fn run(&mut self, nanos: i64) {
        self.moment.wall += nanos;
        self.moment.boottime += nanos;
        self.read();
    }

    fn set_wall(&mut self, ahead: i64) {
        self.moment.wall += ahead;
        self.read();
    }

    /// The machine starts again, and its wall clock says that it was down for so long.
    fn restart(&mut self, down: i64) {
        self.moment = Moment { wall: self.moment.wall + down, boottime: SECOND, boot: self.moment.boot + 1 };
        self.read();
    }

    fn read(&mut self) {
        let next = self.reading.at(self.moment);
        assert!(next.time >= self.reading.time, "it went back");
        assert!((0..=MAX_ALLOWANCE).contains(&next.allowance) && next.owed >= 0);
        self.reading = next;
    }

    fn time(&self) -> i64 {
        self.reading.time - START
    }

    fn lag(&self) -> i64 {
        self.moment.wall - self.reading.time
    }
}

#[test]
fn it_goes_with_a_right_clock() {
    let mut machine = Machine::new();
    for _ in 0..1000 {
        machine.run(DAY + 7);
    }
    assert_eq!(machine.lag(), 0);
}

#[test]
fn it_does_not_begin_before_the_release_was_built() {
    let before = Moment { wall: BUILD_DAY - 1, boottime: 0, boot: 1 };
    assert!(matches!(Reading::begin(before), Err(RecoveryError::Operator(_))));
    assert!(Reading::begin(Moment { wall: BUILD_DAY, ..before }).is_ok());
    assert!(crate::time::now() >= BUILD_DAY);
}

#[test]
fn a_wall_clock_set_forward_in_one_step_gains_500_ppm() {
    let mut machine = Machine::at_full_allowance();
    let before = machine.time();
    machine.set_wall(10 * YEAR);
    assert_eq!(machine.time(), before);
    machine.run(DAY);
    assert_eq!(machine.time() - before, DAY + DAY / 2000);
    machine.run(YEAR);
    assert!(machine.time() - before <= (YEAR + DAY) / 2000 * 2001 + 1);
}

#[test]
fn many_small_steps_gain_no_more_than_one() {
    let mut machine = Machine::at_full_allowance();
    let before = machine.time();
    for _ in 0..100_000 {
        machine.set_wall(SECOND / 10);
        machine.run(SECOND / 100);
    }
    let up = 1000 * SECOND;
    assert!((up..=up + up / 2000).contains(&(machine.time() - before)), "{}", machine.time() - before);
}

#[test]
fn readings_in_quick_succession_gain_nothing() {
    let mut machine = Machine::at_full_allowance();
    machine.set_wall(YEAR);
    let before = machine.time();
    for _ in 0..10_000 {
        machine.run(1);
    }
    assert_eq!(machine.time() - before, 10_000);
}

#[test]
fn a_wall_clock_set_back_slows_it_and_no_more() {
    let mut machine = Machine::new();
    machine.run(DAY);
    machine.set_wall(-YEAR);
    machine.run(DAY);
    assert_eq!(machine.time(), 2 * DAY - DAY / 2000);
    machine.set_wall(i64::MIN / 2);
    machine.run(DAY);
    assert!(machine.time() > 2 * DAY);
}

/// While the process was away the boot time went on.
#[test]
fn a_restart_of_the_process_loses_nothing() {
    let mut machine = Machine::new();
    machine.run(30 * DAY);
    assert_eq!(machine.lag(), 0);
    machine.moment.wall += YEAR;
    machine.run(DAY);
    assert_eq!(machine.time(), 31 * DAY + DAY / 2000);
}

#[test]
fn down_time_is_caught_up_from_the_allowance() {
    let mut machine = Machine::at_full_allowance();
    machine.restart(2 * DAY);
    assert_eq!((machine.lag(), machine.reading.allowance), (0, 5 * DAY));
    machine.restart(20 * DAY);
    assert_eq!((machine.lag(), machine.reading.allowance, machine.reading.owed), (15 * DAY, 0, 15 * DAY));
    // What is owed is paid as the allowance grows, and by 500 ppm.
    machine.run(YEAR);
    assert!((7 * DAY..9 * DAY).contains(&machine.lag()), "{}", machine.lag() / DAY);
    machine.run(YEAR);
    machine.run(YEAR);
    assert_eq!(machine.lag(), 0);
}

#[test]
fn a_wall_clock_set_forward_while_the_machine_is_down_gains_a_week_a_year() {
    let mut machine = Machine::new();
    machine.restart(50 * YEAR);
    assert_eq!(machine.time(), 0, "a young appliance has no allowance");
    let mut machine = Machine::at_full_allowance();
    let before = machine.time();
    for _ in 0..100 {
        machine.restart(30 * DAY);
    }
    assert_eq!(machine.time() - before, WEEK);
    for _ in 0..365 {
        machine.run(DAY);
        machine.restart(30 * DAY);
    }
    let gained = machine.time() - before - YEAR;
    assert!((2 * WEEK - SECOND..2 * WEEK + YEAR / 2000 + SECOND).contains(&gained), "{}", gained / DAY);
}

/// Ten good years are no reason to believe ten bad weeks.
#[test]
fn the_allowance_holds_a_week_at_most() {
    let mut machine = Machine::new();
    for _ in 0..10 {
        machine.run(YEAR);
    }
    machine.restart(YEAR);
    assert_eq!(machine.time() - 10 * YEAR, WEEK);
}

/// A step while the machine is up is not down-time, whatever allowance there is.
#[test]
fn what_is_owed_ends_when_the_wall_clock_is_set_right() {
    let mut machine = Machine::new();
    machine.restart(YEAR);
    machine.set_wall(-YEAR);
    assert_eq!(machine.reading.owed, 0);
    machine.set_wall(YEAR);
    machine.run(YEAR);
    assert!(machine.time() <= YEAR + YEAR / 2000);
}

/// A virtual machine that is put back to a snapshot has the same boot id, and an earlier boot time.
#[test]
fn a_boot_time_that_jumps_back_is_down_time() {
    let mut machine = Machine::new();
    machine.run(DAY);
    machine.moment.boottime -= DAY / 2;
    machine.read();
    assert_eq!(machine.time(), DAY);
    machine.run(DAY);
    assert_eq!(machine.time(), 2 * DAY);
    machine.moment.boottime = 0;
    machine.moment.wall += YEAR;
    machine.read();
    assert!(machine.time() <= 2 * DAY + WEEK * 2 / 365);
}

/// On superblocks from an older set the clock is where it was: nothing is won by catching the same week up again.
#[test]
fn an_older_reading_reads_no_later_than_the_newest() {
    let mut machine = Machine::at_full_allowance();
    let older = machine.reading;
    machine.run(DAY);
    machine.restart(YEAR);
    assert!(older.at(machine.moment).time <= machine.reading.time);
}

#[test]
fn extreme_clocks_do_not_overflow() {
    let reading = Machine::at_full_allowance().reading;
    for wall in [i64::MIN, 0, i64::MAX] {
        for boottime in [0, reading.boottime, i64::MAX] {
            for boot in [1, 2] {
                let next = reading.at(Moment { wall, boottime, boot });
                assert!(next.time >= reading.time && (0..=MAX_ALLOWANCE).contains(&next.allowance));
            }
        }
    }
}

#[test]
fn a_reading_is_read_as_it_was_written() {
    let reading = Reading { time: 1, boottime: 2, boot: 3, allowance: 4, owed: 5 };
    let encoded = |reading: Reading| {
        let mut out = Writer::default();
        reading.encode(&mut out);
        assert_eq!(out.len(), Reading::ENCODED);
        out.0
    };
    assert_eq!(Reading::decode(&mut Reader(&encoded(reading))), Ok(Some(reading)));
    assert_eq!(Reading::decode(&mut Reader(&[0; Reading::ENCODED])), Ok(None));
    for wrong in [
        Reading { time: -1, ..reading },
        Reading { boottime: -1, ..reading },
        Reading { allowance: MAX_ALLOWANCE + 1, ..reading },
        Reading { allowance: -1, ..reading },
        Reading { owed: -1, ..reading },
    ] {
        assert!(Reading::decode(&mut Reader(&encoded(wrong))).is_err());
    }
}

#[test]
fn the_machine_has_the_clocks() {
    let clock = MachineClock::new().unwrap();
    let (one, other) = (clock.moment(), MachineClock::new().unwrap().moment());
    assert!(one.boot == other.boot && one.boottime > 0 && one.boottime <= other.boottime);
}
