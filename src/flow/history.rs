//! Zeek's history letters: one letter for what happened, capital if the client did it.

use crate::proto::Role;

/// Letters after which a history grows no more; nobody reads further, and an attacker could write
/// one letter a packet.
const MAX_LETTERS: usize = 64;

/// A history, and which of the once-only letters it has.
#[derive(Debug)]
#[repr(C)]
pub(super) struct History {
    seen: u16,
    flipped: bool,
    /// How many of `letters` are written.
    length: u8,
    letters: [u8; MAX_LETTERS],
}

impl Default for History {
    fn default() -> Self {
        Self { seen: 0, flipped: false, length: 0, letters: [0; MAX_LETTERS] }
    }
}

/// Letters that are written once a direction, or of which the first is special.
#[derive(Clone, Copy, Debug)]
pub(super) enum Once {
    /// `S` or `H`.
    Syn,
    /// `F`.
    Fin,
    /// `R`.
    Rst,
    /// `D`.
    Data,
    /// `A`.
    Ack,
    /// `I`: FIN and RST together.
    Inconsistent,
    /// `Q`: SYN with FIN or RST.
    MultiFlag,
}

/// Counts a repeated event; the letter is written at its 1st, 10th, 100th ... time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scaled {
    count: u32,
    next: u32,
}

impl Default for Scaled {
    fn default() -> Self {
        Self { count: 0, next: 1 }
    }
}

impl Scaled {
    /// Counts once more; whether the letter is due.
    pub(super) fn hit(&mut self) -> bool {
        self.count = self.count.saturating_add(1);
        let due = self.count == self.next;
        if due {
            self.next = self.next.saturating_mul(10);
        }
        due
    }
}

impl History {
    /// Writes `letter` unless `once` was written for this sender before; whether it had been.
    pub(super) fn once(&mut self, sender: Role, once: Once, letter: char) -> bool {
        let bit = 1u16 << (once as u16 + if sender == Role::Server { 8 } else { 0 });
        if self.seen & bit != 0 {
            return true;
        }
        self.seen |= bit;
        self.push(sender, letter);
        false
    }

    /// Writes `letter`.
    pub(super) fn push(&mut self, sender: Role, letter: char) {
        if let Some(place) = self.letters.get_mut(usize::from(self.length)) {
            let letter = u8::try_from(letter).unwrap_or(b'?');
            *place = match sender {
                Role::Client => letter.to_ascii_uppercase(),
                Role::Server => letter.to_ascii_lowercase(),
            };
            self.length += 1;
        }
    }

    /// Turns client and server round: letters change their case, and a leading `^` says that the
    /// client is not who sent the first packet.
    pub(super) fn flip(&mut self) {
        self.flipped = !self.flipped;
        self.seen = self.seen.rotate_left(8);
        for letter in &mut self.letters {
            // The bit in which the cases differ; what is not written yet changes nothing.
            *letter ^= 0x20;
        }
    }

    /// The letters, `^` included.
    pub(super) fn to_text(&self) -> String {
        let mark = if self.flipped { "^" } else { "" };
        [mark, self.letters()].concat()
    }

    /// The letters without `^`.
    pub(super) fn letters(&self) -> &str {
        let written = self.letters.get(..usize::from(self.length)).unwrap_or_default();
        std::str::from_utf8(written).expect("only ASCII letters are written")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_in_powers_of_ten() {
        let mut scaled = Scaled::default();

        let due: Vec<u32> = (1..=1000).filter(|_| scaled.hit()).collect();

        assert_eq!(due, [1, 10, 100, 1000]);
    }

    #[test]
    fn a_flip_changes_the_case_of_what_was_written() {
        let mut history = History::default();
        history.once(Role::Client, Once::Ack, 'A');

        history.flip();
        history.once(Role::Client, Once::Ack, 'A');
        let again = history.once(Role::Server, Once::Ack, 'A');

        assert_eq!(history.to_text(), "^aA");
        assert!(again);
    }

    #[test]
    fn stops_growing() {
        let mut history = History::default();

        for _ in 0..1000 {
            history.push(Role::Client, 'R');
        }

        assert_eq!(history.to_text().len(), MAX_LETTERS);
    }
}
