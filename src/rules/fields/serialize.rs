//! What serde makes of an event, as fields: the boilerplate of a serializer, and nothing clever.

use std::fmt::{self, Write as _};

use serde::ser::{self, Serialize, Serializer};

use super::{Fields, Name, Span, Value};

/// A value that is no field.
#[derive(Debug)]
pub(super) struct Unfit;

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that is no field")
    }
}

impl std::error::Error for Unfit {}

impl ser::Error for Unfit {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// Where a value goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    Field(Name),
    /// The list that is being made; at the top, a struct or map whose members are the fields.
    Item,
}

/// Takes a value.
pub(super) struct Put<'a> {
    pub(super) fields: &'a mut Fields,
    pub(super) target: Target,
}

impl<'a> Put<'a> {
    fn put(self, value: Value) -> Result<(), Unfit> {
        match self.target {
            Target::Field(name) => self.fields.fields.push((name, value)),
            Target::Item => self.fields.items.push(value),
        }
        Ok(())
    }

    fn members(self) -> Members<'a> {
        let prefix = match self.target {
            Target::Field(name) => Some(name),
            Target::Item => None,
        };
        Members { fields: self.fields, prefix, key: None }
    }

    fn list(self) -> List<'a> {
        let start = self.fields.items.len() as u32;
        List { fields: self.fields, target: self.target, start }
    }
}

macro_rules! numbers {
    ($($name:ident: $type:ty),+) => {
        $(fn $name(self, number: $type) -> Result<(), Unfit> {
            self.put(Value::Int(i64::from(number)))
        })+
    };
}

impl<'a> Serializer for Put<'a> {
    type Ok = ();
    type Error = Unfit;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = Members<'a>;
    type SerializeStruct = Members<'a>;
    type SerializeStructVariant = Members<'a>;

    numbers!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64);
    numbers!(serialize_u8: u8, serialize_u16: u16, serialize_u32: u32);

    fn serialize_u64(self, number: u64) -> Result<(), Unfit> {
        self.put(i64::try_from(number).map_or(Value::Float(number as f64), Value::Int))
    }

    fn serialize_f32(self, number: f32) -> Result<(), Unfit> {
        self.put(Value::Float(f64::from(number)))
    }

    fn serialize_f64(self, number: f64) -> Result<(), Unfit> {
        self.put(Value::Float(number))
    }

    fn serialize_bool(self, flag: bool) -> Result<(), Unfit> {
        self.put(Value::Flag(flag))
    }

    fn serialize_char(self, letter: char) -> Result<(), Unfit> {
        self.serialize_str(letter.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Result<(), Unfit> {
        let span = self.fields.write(text);
        self.put(Value::Text(span))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Unfit> {
        self.serialize_str(&String::from_utf8_lossy(bytes))
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), Unfit> {
        let start = self.fields.text.len() as u32;
        write!(self.fields.text, "{value}").map_err(|_| Unfit)?;
        let end = self.fields.text.len() as u32;
        self.put(Value::Text(Span { start, end }))
    }

    fn serialize_none(self) -> Result<(), Unfit> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unfit> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Unfit> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Unfit> {
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Unfit> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Unfit> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Unfit> {
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List<'a>, Unfit> {
        Ok(self.list())
    }

    fn serialize_tuple(self, _: usize) -> Result<List<'a>, Unfit> {
        Ok(self.list())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List<'a>, Unfit> {
        Ok(self.list())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<List<'a>, Unfit> {
        Ok(self.list())
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Members<'a>, Unfit> {
        Ok(self.members())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members<'a>, Unfit> {
        Ok(self.members())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Members<'a>, Unfit> {
        Ok(self.members())
    }
}

/// Takes the items of a list; a list inside a list is part of it.
pub(super) struct List<'a> {
    fields: &'a mut Fields,
    target: Target,
    start: u32,
}

impl List<'_> {
    fn add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
        value.serialize(Put { fields: &mut *self.fields, target: Target::Item })
    }

    fn close(self) -> Result<(), Unfit> {
        let span = Span { start: self.start, end: self.fields.items.len() as u32 };
        match self.target {
            Target::Field(name) => self.fields.fields.push((name, Value::List(span))),
            Target::Item => {}
        }
        Ok(())
    }
}

macro_rules! lists {
    ($($trait:ident: $add:ident),+) => {
        $(impl ser::$trait for List<'_> {
            type Ok = ();
            type Error = Unfit;

            fn $add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
                self.add(value)
            }

            fn end(self) -> Result<(), Unfit> {
                self.close()
            }
        })+
    };
}

lists!(
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field
);

/// Takes the members of a struct or map, those of an inner one under `outer.inner`.
pub(super) struct Members<'a> {
    fields: &'a mut Fields,
    prefix: Option<Name>,
    key: Option<Name>,
}

impl Members<'_> {
    fn named(&mut self, key: &'static str) -> Name {
        match self.prefix {
            None => Name::Known(key),
            Some(prefix) => {
                let start = self.fields.text.len() as u32;
                self.begin(prefix);
                self.fields.text.push_str(key);
                Name::Written(Span { start, end: self.fields.text.len() as u32 })
            }
        }
    }

    fn begin(&mut self, prefix: Name) {
        match prefix {
            Name::Known(name) => self.fields.text.push_str(name),
            Name::Written(span) => {
                self.fields.text.extend_from_within(span.start as usize..span.end as usize);
            }
        }
        self.fields.text.push('.');
    }

    fn add<T: Serialize + ?Sized>(&mut self, name: Name, value: &T) -> Result<(), Unfit> {
        value.serialize(Put { fields: &mut *self.fields, target: Target::Field(name) })
    }
}

macro_rules! structs {
    ($($trait:ident),+) => {
        $(impl ser::$trait for Members<'_> {
            type Ok = ();
            type Error = Unfit;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), Unfit> {
                let name = self.named(key);
                self.add(name, value)
            }

            fn end(self) -> Result<(), Unfit> {
                Ok(())
            }
        })+
    };
}

structs!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Members<'_> {
    type Ok = ();
    type Error = Unfit;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unfit> {
        let start = self.fields.text.len() as u32;
        if let Some(prefix) = self.prefix {
            self.begin(prefix);
        }
        // A key that is a text lands behind the prefix; as an item it is in no list.
        let items = self.fields.items.len();
        key.serialize(Put { fields: &mut *self.fields, target: Target::Item })?;
        self.fields.items.truncate(items);
        self.key = Some(Name::Written(Span { start, end: self.fields.text.len() as u32 }));
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
        let name = self.key.take().ok_or(Unfit)?;
        self.add(name, value)
    }

    fn end(self) -> Result<(), Unfit> {
        Ok(())
    }
}
