//! Which class a DCOM activation asks for ([MS-DCOM] 2.2.22): the one fact that tells a shell
//! window that runs a command from a management console's routine.

use super::uuid::Uuid;
use crate::proto::bytes::{le32, part};

/// ORPCTHIS without extensions ([MS-DCOM] 2.2.13.3).
pub(super) const ORPCTHIS: usize = 32;
/// OBJREF's signature ([MS-DCOM] 2.2.18).
const SIGNATURE: &[u8] = b"MEOW";
/// The object reference follows a few pointers.
const SEARCHED: usize = 128;
/// Properties that an activation carries: about ten kinds exist.
const PROPERTY_LIMIT: usize = 16;

/// The class in the arguments of RemoteCreateInstance and RemoteGetClassObject.
pub(super) fn class(arguments: &[u8]) -> Option<String> {
    let searched = part(arguments, 0, SEARCHED);
    let start = searched.windows(SIGNATURE.len()).position(|window| window == SIGNATURE)?;
    let reference = arguments.get(start..)?;
    // An OBJREF_CUSTOM of 48 bytes, then the activation BLOB ([MS-DCOM] 2.2.22): its size and a
    // reserved number, then a header that lists the properties and their sizes.
    let header = reference.get(56..)?;
    let (header_size, count) = (le32(header, 20)? as usize, le32(header, 32)? as usize);
    let count = count.min(PROPERTY_LIMIT);
    let kinds = header.get(68..)?;
    let sizes = kinds.get(16 * count + 4..)?;
    let wanted = Uuid::parse(INSTANTIATION_INFO)?;
    let mut at = header_size;
    for index in 0..count {
        if Uuid::read(kinds, 16 * index, true)? == wanted {
            // InstantiationInfoData ([MS-DCOM] 2.2.22.2.1) behind two serialization headers.
            return Uuid::read(header, at.checked_add(16)?, true).map(named);
        }
        at = at.checked_add(le32(sizes, 4 * index)? as usize)?;
    }
    None
}

/// The class in the arguments of the older RemoteActivation.
pub(super) fn older_class(arguments: &[u8]) -> Option<String> {
    Uuid::read(arguments, ORPCTHIS, true).map(named)
}

const INSTANTIATION_INFO: &str = "000001ab-0000-0000-c000-000000000046";

/// Classes that matter here, by their program's name.
fn named(class: Uuid) -> String {
    let uuid = class.to_string();
    let name = match uuid.as_str() {
        "49b2791a-b1ae-4c90-9b8e-e860ba07f889" => "MMC20.Application",
        "9ba05972-f6a8-11cf-a442-00a0c90a8f39" => "ShellWindows",
        "c08afd90-f2a1-11d1-8455-00a0c91f3880" => "ShellBrowserWindow",
        "00024500-0000-0000-c000-000000000046" => "Excel.Application",
        "000209ff-0000-0000-c000-000000000046" => "Word.Application",
        "0006f03a-0000-0000-c000-000000000046" => "Outlook.Application",
        "00021a20-0000-0000-c000-000000000046" => "Visio.Application",
        "0002df01-0000-0000-c000-000000000046" => "InternetExplorer.Application",
        "d5e8041d-920f-45e9-b8fb-b1deb82c6e5e" => "InternetExplorerMedium",
        "8bc3f05e-d86b-11d0-a075-00c04fb68820" => "WbemLevel1Login",
        "f5078f32-c551-11d3-89b9-0000f81fe221" => "MSXML",
        "0f87369f-a4e5-4cfc-bd3e-73e6154572dd" => "Schedule.Service",
        _ => return uuid,
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn activation(class: &str) -> Vec<u8> {
        let uuid = |text| Uuid::parse(text).unwrap().to_wire();
        let other = "000001a5-0000-0000-c000-000000000046";
        let mut header = vec![0; 68];
        header[32] = 2;
        header.extend(uuid(other));
        header.extend(uuid(INSTANTIATION_INFO));
        header.extend([2, 0, 0, 0, 24, 0, 0, 0, 64, 0, 0, 0]);
        header[20] = header.len() as u8;
        let mut out = vec![0; ORPCTHIS + 8];
        out.extend(SIGNATURE);
        out.resize(out.len() + 52, 0);
        out.extend(header);
        out.resize(out.len() + 24 + 16, 7);
        out.extend(uuid(class));
        out
    }

    #[test]
    fn tells_the_class_by_its_name_where_it_has_one() {
        let console = activation("49b2791a-b1ae-4c90-9b8e-e860ba07f889");
        let unknown = activation("01234567-89ab-cdef-0123-456789abcdef");

        assert_eq!(class(&console).as_deref(), Some("MMC20.Application"));
        assert_eq!(class(&unknown).as_deref(), Some("01234567-89ab-cdef-0123-456789abcdef"));
        assert_eq!(class(&console[..150]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(data: Vec<u8>, at in 0usize..300, byte: u8) {
            let _ = (class(&data), older_class(&data));
            let mut changed = activation("49b2791a-b1ae-4c90-9b8e-e860ba07f889");
            if let Some(place) = changed.get_mut(at) {
                *place = byte;
            }
            let _ = class(&changed);
        }
    }
}
