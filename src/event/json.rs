//! Events as JSON, in Zeek's field names.
