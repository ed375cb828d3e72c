//! What breaks TCP's rules, under the names that Zeek's `weird` log gives it.

/// Oddities reported of one connection; the rest would only repeat that it is odd.
const MAX_REPORTED: u32 = 4;

macro_rules! oddities {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// One kind of rule breaking.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum Oddity {
            $($(#[$doc])* $variant,)+
        }

        impl Oddity {
            const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Zeek's name.
            pub(super) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

oddities! {
    /// A SYN on a connection that is open, with another sequence number.
    ActiveReuse = "active_connection_reuse",
    /// An acknowledgement of what lies before the connection's start.
    AckUnderflow = "TCP_ack_underflow_or_misorder",
    /// A SYN-ACK that does not acknowledge the SYN.
    BadSynAck = "bad_SYN_ack",
    /// A SYN with an urgent pointer.
    BaroqueSyn = "baroque_SYN",
    /// SYN together with RST.
    Christmas = "TCP_christmas",
    /// Data after a reset.
    DataAfterReset = "data_after_reset",
    /// Data before the handshake was over.
    DataBeforeEstablished = "data_before_established",
    /// A FIN beyond an earlier FIN.
    FinAdvanced = "FIN_advanced_last_seq",
    /// A FIN after a reset.
    FinAfterReset = "FIN_after_reset",
    /// A FIN before the handshake was over.
    InappropriateFin = "inappropriate_FIN",
    /// A SYN-ACK from the side that opened.
    OriginatorSynAck = "connection_originator_SYN_ack",
    /// An acknowledgement of data that was never seen: the other direction takes another way.
    SplitRouting = "possible_split_routing",
    /// A port pair used again soon after closing.
    PrematureReuse = "premature_connection_reuse",
    /// A SYN-ACK repeated by the side that opened.
    RepeatedSynWithAck = "repeated_SYN_with_ack",
    /// A SYN repeated by the server without the acknowledgement it had.
    RepeatedSynReply = "repeated_SYN_reply_wo_ack",
    /// A retransmission with other content.
    Retransmission = "Retransmission_inconsistency",
    /// A sequence number before the connection's start.
    SeqUnderflow = "TCP_seq_underflow_or_misorder",
    /// SYN from both sides.
    SimultaneousOpen = "simultaneous_open",
    /// A FIN without a connection.
    SpontaneousFin = "spontaneous_FIN",
    /// A RST without a connection.
    SpontaneousRst = "spontaneous_RST",
    /// A SYN after closing.
    SynAfterClose = "SYN_after_close",
    /// A SYN after midstream traffic.
    SynAfterPartial = "SYN_after_partial",
    /// A SYN after a reset.
    SynAfterReset = "SYN_after_reset",
    /// A SYN in a connection that carried data.
    SynInside = "SYN_inside_connection",
    /// A SYN with another sequence number.
    SynSeqJump = "SYN_seq_jump",
    /// A SYN with data.
    SynWithData = "SYN_with_data",
    /// A SYN-ACK whose SYN was not seen.
    UnsolicitedSynAck = "unsolicited_SYN_response",
}

/// Which oddities a connection has shown.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Oddities {
    seen: u32,
    fresh: u32,
}

impl Oddities {
    /// Notes one.
    pub(super) fn note(&mut self, oddity: Oddity) {
        let bit = 1 << oddity as u32;
        if self.seen & bit == 0 && self.seen.count_ones() < MAX_REPORTED {
            self.seen |= bit;
            self.fresh |= bit;
        }
    }

    /// Whether any was noted.
    pub(super) const fn any(self) -> bool {
        self.seen != 0
    }

    /// Takes those that were not reported yet.
    pub(super) fn take_fresh(&mut self) -> impl Iterator<Item = Oddity> + use<> {
        let fresh = std::mem::take(&mut self.fresh);
        Oddity::ALL.iter().copied().filter(move |&oddity| fresh & (1 << oddity as u32) != 0)
    }

    /// Whether some were not reported yet.
    pub(super) const fn has_fresh(self) -> bool {
        self.fresh != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_each_kind_once_and_few_in_all() {
        let mut oddities = Oddities::default();

        for _ in 0..2 {
            for &oddity in Oddity::ALL {
                oddities.note(oddity);
            }
        }

        assert_eq!(oddities.take_fresh().count(), MAX_REPORTED as usize);
        assert_eq!(oddities.take_fresh().count(), 0);
        assert!(Oddity::ALL.len() <= 32);
    }
}
