//! An event's fields under Zeek's names, laid out flat so that rules can look them up.
//!
//! One buffer serves all events: filling it allocates nothing once it has grown, and an event is
//! turned into fields once, however many rules ask. The names are those of `event/json.rs`,
//! because both come from the same `Serialize`.

mod serialize;

use std::borrow::Cow;
use std::net::IpAddr;

use rsigma_eval::{Event as SigmaEvent, EventValue};
use serde::Serialize;
use serde_json::{Map, Number, Value as Json};

use crate::event::{Body, Event, Line};
use serialize::{Put, Target};

/// The fields of one event.
#[derive(Debug, Default)]
pub struct Fields {
    /// Values, and the names that are not in the program.
    text: String,
    fields: Vec<(Name, Value)>,
    /// The items of lists.
    items: Vec<Value>,
}

/// A part of the text, or of the items.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
}

#[derive(Clone, Copy, Debug)]
enum Name {
    Known(&'static str),
    Written(Span),
}

#[derive(Clone, Copy, Debug)]
enum Value {
    Text(Span),
    Int(i64),
    Float(f64),
    Flag(bool),
    List(Span),
}

impl Fields {
    /// Takes the fields of `event`, in place of those of the one before.
    pub fn fill(&mut self, event: &Event, is_local: &dyn Fn(IpAddr) -> bool) {
        self.clear();
        if let Body::Record(record) = &event.body {
            self.put("ts", event.ts.as_secs_f64());
            if let Some(talk) = &event.conversation {
                self.put("uid", format_args!("{}", talk.uid));
                self.put("id.orig_h", talk.client.addr);
                self.put("id.orig_p", talk.client.port);
                self.put("id.resp_h", talk.server.addr);
                self.put("id.resp_p", talk.server.port);
                self.put("proto", talk.transport);
                self.put("local_orig", is_local(talk.client.addr));
                self.put("local_resp", is_local(talk.server.addr));
            }
            self.extend(record.as_ref());
        } else {
            self.extend(&Line { event, is_local });
        }
        if let Body::Conn(conn) = &event.body {
            // What a firewall would have written, for rules that are written for one.
            if let Some(outcome) = conn.outcome {
                self.put("action", if outcome.failed() { "deny" } else { "accept" });
                self.put("blocked", outcome.failed());
            }
        }
    }

    /// Forgets all fields and keeps the space.
    pub fn clear(&mut self) {
        self.text.clear();
        self.fields.clear();
        self.items.clear();
    }

    /// Adds a field.
    pub fn put(&mut self, name: &'static str, value: impl Serialize) {
        self.add(Name::Known(name), value);
    }

    /// Adds a field of any name.
    pub fn put_named(&mut self, name: &str, value: impl Serialize) {
        let name = Name::Written(self.write(name));
        self.add(name, value);
    }

    /// Adds a field that is not there yet.
    pub fn put_missing(&mut self, name: &'static str, value: impl Serialize) {
        if self.find(name).is_none() {
            self.put(name, value);
        }
    }

    fn add(&mut self, name: Name, value: impl Serialize) {
        // Only a number without meaning or a key that is no text can fail, and is then left out.
        let _ = value.serialize(Put { fields: self, target: Target::Field(name) });
    }

    /// Adds the fields of a struct or map.
    fn extend(&mut self, value: &impl Serialize) {
        let _ = value.serialize(Put { fields: self, target: Target::Item });
    }

    /// The field as a text, where it is one value.
    pub fn text_of(&self, name: &str) -> Option<Cow<'_, str>> {
        Some(match self.find(name)? {
            Value::Text(span) => Cow::Borrowed(self.slice(span)),
            Value::Int(number) => Cow::Owned(number.to_string()),
            Value::Float(number) => Cow::Owned(number.to_string()),
            Value::Flag(flag) => Cow::Borrowed(if flag { "true" } else { "false" }),
            Value::List(_) => return None,
        })
    }

    /// Gives each of the field's values to `take`: texts in lower case, and again as numbers where
    /// they are some, numbers and flags as they are written.
    pub(super) fn for_each(&self, name: &str, take: &mut dyn FnMut(&str)) {
        match self.find(name) {
            None => {}
            Some(Value::List(span)) => {
                for item in self.list(span) {
                    self.lower(*item, take);
                }
            }
            Some(value) => self.lower(value, take),
        }
    }

    fn lower(&self, value: Value, take: &mut dyn FnMut(&str)) {
        match value {
            Value::Text(span) => {
                let text = self.slice(span);
                if text.bytes().any(|b| b.is_ascii_uppercase() || !b.is_ascii()) {
                    take(&text.to_lowercase());
                } else {
                    take(text);
                }
                let may_be_number =
                    text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
                if let (true, Ok(number)) = (may_be_number, text.parse::<f64>()) {
                    take(&number.to_string());
                }
            }
            Value::Int(number) => take(&number.to_string()),
            Value::Float(number) => take(&number.to_string()),
            Value::Flag(flag) => take(if flag { "true" } else { "false" }),
            Value::List(_) => {}
        }
    }

    fn find(&self, name: &str) -> Option<Value> {
        self.fields.iter().find(|(known, _)| self.name(*known) == name).map(|(_, value)| *value)
    }

    fn name(&self, name: Name) -> &str {
        match name {
            Name::Known(name) => name,
            Name::Written(span) => self.slice(span),
        }
    }

    fn slice(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    fn list(&self, span: Span) -> &[Value] {
        self.items.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// Appends to the text. An event is some tens of KiB at most, so that no place overflows.
    fn write(&mut self, text: &str) -> Span {
        let start = self.text.len() as u32;
        self.text.push_str(text);
        Span { start, end: self.text.len() as u32 }
    }

    fn event_value(&self, value: Value) -> EventValue<'_> {
        match value {
            Value::Text(span) => EventValue::Str(Cow::Borrowed(self.slice(span))),
            Value::Int(number) => EventValue::Int(number),
            Value::Float(number) => EventValue::Float(number),
            Value::Flag(flag) => EventValue::Bool(flag),
            Value::List(span) => EventValue::Array(
                self.list(span).iter().map(|item| self.event_value(*item)).collect(),
            ),
        }
    }

    fn json_of(&self, value: Value) -> Json {
        match value {
            Value::Text(span) => self.slice(span).into(),
            Value::Int(number) => number.into(),
            Value::Float(number) => Number::from_f64(number).map_or(Json::Null, Json::Number),
            Value::Flag(flag) => flag.into(),
            Value::List(span) => self.list(span).iter().map(|item| self.json_of(*item)).collect(),
        }
    }
}

impl SigmaEvent for Fields {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        self.find(path).map(|value| self.event_value(value))
    }

    fn any_string_value(&self, is_it: &dyn Fn(&str) -> bool) -> bool {
        let of = |value: &Value| matches!(value, Value::Text(span) if is_it(self.slice(*span)));
        self.fields.iter().any(|(_, value)| of(value)) || self.items.iter().any(of)
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        self.fields
            .iter()
            .map(|(_, value)| value)
            .chain(&self.items)
            .filter_map(|value| match value {
                Value::Text(span) => Some(Cow::Borrowed(self.slice(*span))),
                _ => None,
            })
            .collect()
    }

    fn to_json(&self) -> Json {
        let mut all = Map::new();
        for (name, value) in &self.fields {
            all.entry(self.name(*name)).or_insert_with(|| self.json_of(*value));
        }
        Json::Object(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Conversation, Login, Uid};
    use crate::net::{Endpoint, Transport};
    use crate::time::Timestamp;

    fn login() -> Event {
        let login = Login {
            protocol: "ssh",
            method: "password",
            user: Some("root".to_owned()),
            domain: None,
            workstation: None,
            success: Some(true),
            inferred: false,
        };
        Event {
            ts: Timestamp::from_secs(7),
            packet: 1,
            conversation: Some(Conversation {
                uid: Uid(1),
                transport: Transport::Tcp,
                client: Endpoint::new("192.0.2.1".parse().unwrap(), 40_000),
                server: Endpoint::new("198.51.100.2".parse().unwrap(), 22),
                inferred: false,
            }),
            body: Body::Record(Box::new(login.into())),
        }
    }

    #[test]
    fn says_what_the_event_log_says() {
        let event = login();
        let is_local = |addr: IpAddr| addr.to_string().starts_with("192.");
        let mut fields = Fields::default();

        fields.fill(&event, &is_local);

        let Json::Object(line) =
            serde_json::to_value(Line { event: &event, is_local: &is_local }).unwrap()
        else {
            panic!("an event is an object");
        };
        let Json::Object(all) = fields.to_json() else { panic!("fields are an object") };
        for (name, value) in &line {
            assert_eq!(all.get(name), Some(value), "{name}");
        }
        assert_eq!(all["local_orig"], true);
        assert_eq!(all["local_resp"], false);
    }

    #[test]
    fn holds_only_the_last_event() {
        let mut fields = Fields::default();
        fields.fill(&login(), &|_| false);
        fields.clear();
        fields.put("only", 1);

        assert_eq!(fields.to_json(), serde_json::json!({"only": 1}));
    }

    #[test]
    fn takes_lists_maps_and_names_of_any_kind() {
        let mut fields = Fields::default();

        fields.extend(&serde_json::json!({
            "answers": ["a", 1, null], "nested": {"deep": {"x": "y"}}, "none": null, "big": u64::MAX,
        }));

        assert_eq!(
            fields.to_json(),
            serde_json::json!({"answers": ["a", 1], "nested.deep.x": "y", "big": u64::MAX as f64})
        );
        assert_eq!(fields.text_of("nested.deep.x").as_deref(), Some("y"));
        let mut answers = Vec::new();
        fields.for_each("answers", &mut |text| answers.push(text.to_owned()));
        assert_eq!(answers, ["a", "1"]);
        assert!(fields.any_string_value(&|text| text == "a"));
        assert_eq!(fields.get_field("none"), None);
    }
}
