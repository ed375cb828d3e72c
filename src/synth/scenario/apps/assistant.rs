//! Questions to a language model: a service of the Internet, or the house's own.

use std::time::Duration;

use super::super::chance::pareto;
use super::super::inference::{Question, ask};
use super::super::names::{Name, look_up};
use super::super::role::Role;
use super::super::stage::Stage;
use super::super::world::HostId;
use super::super::world::Party::Host as of;
use super::super::worm_file::Api;

/// Services for language models, among the other hosts of the Internet.
const MODELS: u32 = 750;

/// Asks something, and reads the answer as it is made.
pub(super) fn question(stage: &mut Stage, host: HostId) {
    let inner = stage.world.usual(host, Role::InferenceServer).filter(|_| stage.rng.chance(50));
    let name = inner.map_or(Name::Other(MODELS + stage.rng.below(3) as u32), Name::Host);
    let Some(party) = name.party() else { return };
    let now = stage.now;
    let Some(at) = look_up(stage, now, host, name) else { return };
    let (text, is_inner) = (name.text(&stage.world), inner.is_some());
    let mut call = stage.call(of(host), party, if is_inner { 11_434 } else { 443 });
    call.start = at;
    let prompt = pareto(&mut stage.rng, (200, 60_000), 0.9) as usize;
    let tokens = pareto(&mut stage.rng, (30, 1500), 1.0) as u32;
    let cadence = Duration::from_millis(if is_inner { 40 } else { 22 });
    let question = Question {
        host: &text,
        api: if is_inner { Api::Ollama } else { Api::Openai },
        tls: !is_inner,
        model: "assistant:70b",
        prompt,
        tokens,
        cadence,
    };
    ask(&mut call, &question, &mut stage.rng);
    call.linger = Duration::from_secs(30);
    stage.play(call);
}
