//! What interfaces and their operations are called: `interfaces.txt`, read once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::uuid::Uuid;

/// An interface and the names of its operations by number.
#[derive(Debug)]
pub(super) struct Interface {
    /// Its name, as Zeek's `endpoint` field has it.
    pub(super) name: &'static str,
    operations: Vec<&'static str>,
}

impl Interface {
    /// The name of operation `number`.
    pub(super) fn operation(&self, number: u16) -> Option<&'static str> {
        let name = self.operations.get(usize::from(number)).copied();
        name.filter(|&name| name != UNUSED)
    }
}

const UNUSED: &str = "-";

static INTERFACES: LazyLock<BTreeMap<Uuid, Interface>> =
    LazyLock::new(|| read(include_str!("interfaces.txt")));

/// The interface with this identifier.
pub(super) fn by_uuid(uuid: Uuid) -> Option<&'static Interface> {
    INTERFACES.get(&uuid)
}

/// The interface that a pipe of this name usually leads to, for connections whose beginning was not
/// seen. The same pipes carry others too (`lsass` all of the first line's), which a bind tells.
pub(super) fn by_pipe(name: &str) -> Option<Uuid> {
    let name = name.rsplit(['\\', '/']).next().unwrap_or(name);
    let uuid = match name.to_ascii_lowercase().as_str() {
        "samr" => "12345778-1234-abcd-ef00-0123456789ac",
        "lsarpc" => "12345778-1234-abcd-ef00-0123456789ab",
        "netlogon" => "12345678-1234-abcd-ef00-01234567cffb",
        "srvsvc" => "4b324fc8-1670-01d3-1278-5a47bf6ee188",
        "wkssvc" => "6bffd098-a112-3610-9833-46c3f87e345a",
        "svcctl" => "367abb81-9844-35f1-ad32-98f038001003",
        "winreg" => "338cd001-2244-31f1-aaaa-900038001003",
        "spoolss" => "12345678-1234-abcd-ef00-0123456789ab",
        "netdfs" => "4fc742e0-4a10-11cf-8273-00aa004ae673",
        "epmapper" => "e1af8308-5d1f-11c9-91a4-08002b14a0fa",
        "eventlog" => "82273fdc-e32a-18c3-3f78-827929dc23ea",
        "efsrpc" => "df1941c5-fe89-4e79-bf10-463657acf44d",
        "fssagentrpc" => "a8e0653c-2744-4389-a61d-7373df8b2292",
        "initshutdown" => "894de0c0-0d55-11d3-a322-00c04fa321a1",
        "browser" => "6bffd098-a112-3610-9833-012892020162",
        // Both task schedulers answer at `atsvc`; the old one is what tools without a bind use.
        "atsvc" => "1ff70682-0a51-30e8-076d-740be8cee98b",
        _ => return None,
    };
    Uuid::parse(uuid)
}

fn read(table: &'static str) -> BTreeMap<Uuid, Interface> {
    let mut interfaces = BTreeMap::new();
    let mut current: Option<(Uuid, Interface)> = None;
    for line in table.lines() {
        if line.starts_with([' ', '\t']) {
            if let Some((_, interface)) = &mut current {
                add_operations(&mut interface.operations, line);
            }
        } else if let Some((uuid, name)) = line.split_once(' ')
            && let Some(uuid) = Uuid::parse(uuid)
        {
            interfaces.extend(current.replace((uuid, Interface { name, operations: Vec::new() })));
        }
    }
    interfaces.extend(current);
    interfaces
}

fn add_operations(operations: &mut Vec<&'static str>, line: &'static str) {
    for word in line.split_ascii_whitespace() {
        match word.strip_prefix('@').and_then(|number| number.parse::<u8>().ok()) {
            Some(number) => operations.resize(usize::from(number), UNUSED),
            None => operations.push(word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(uuid: &str, number: u16) -> Option<(&'static str, Option<&'static str>)> {
        let interface = by_uuid(Uuid::parse(uuid).unwrap())?;
        Some((interface.name, interface.operation(number)))
    }

    #[test]
    fn names_what_lateral_movement_uses() {
        let expected = [
            ("367abb81-9844-35f1-ad32-98f038001003", 12, "svcctl", "CreateServiceW"),
            ("367abb81-9844-35f1-ad32-98f038001003", 64, "svcctl", "OpenSCManager2"),
            ("1ff70682-0a51-30e8-076d-740be8cee98b", 0, "atsvc", "NetrJobAdd"),
            (
                "86d35949-83c9-4044-b424-db363231fd0c",
                19,
                "ITaskSchedulerService",
                "SchRpcEnableTask",
            ),
            ("338cd001-2244-31f1-aaaa-900038001003", 35, "winreg", "BaseRegDeleteKeyEx"),
            ("12345778-1234-abcd-ef00-0123456789ac", 69, "samr", "SamrPerformGenericOperation"),
            ("12345778-1234-abcd-ef00-0123456789ab", 94, "lsarpc", "CredrBackupCredentials"),
            (
                "12345678-1234-abcd-ef00-01234567cffb",
                49,
                "netlogon",
                "NetrChainSetClientAttributes",
            ),
            ("e3514235-4b06-11d1-ab04-00c04fc2dcd2", 3, "drsuapi", "DRSGetNCChanges"),
            ("4b324fc8-1670-01d3-1278-5a47bf6ee188", 57, "srvsvc", "NetrShareDelEx"),
            ("6bffd098-a112-3610-9833-46c3f87e345a", 2, "wkssvc", "NetrWkstaUserEnum"),
            (
                "12345678-1234-abcd-ef00-0123456789ab",
                65,
                "spoolss",
                "RpcRemoteFindFirstPrinterChangeNotificationEx",
            ),
            ("12345678-1234-abcd-ef00-0123456789ab", 89, "spoolss", "RpcAddPrinterDriverEx"),
            (
                "76f03f96-cdfd-44fc-a22c-64950a001209",
                39,
                "IRemoteWinspool",
                "RpcAsyncAddPrinterDriver",
            ),
            ("c681d488-d850-11d0-8c52-00c04fd90f7e", 4, "efsrpc2", "EfsRpcEncryptFileSrv"),
            ("4fc742e0-4a10-11cf-8273-00aa004ae673", 12, "netdfs", "NetrDfsAddStdRoot"),
            ("a8e0653c-2744-4389-a61d-7373df8b2292", 8, "FileServerVssAgent", "IsPathSupported"),
            ("9556dc99-828c-11cf-a37e-00aa003240c7", 24, "IWbemServices", "ExecMethod"),
            ("f309ad18-d86a-11d0-a075-00c04fb68820", 6, "IWbemLevel1Login", "NTLMLogin"),
            (
                "000001a0-0000-0000-c000-000000000046",
                4,
                "IRemoteSCMActivator",
                "RemoteCreateInstance",
            ),
            ("00020400-0000-0000-c000-000000000046", 6, "IDispatch", "Invoke"),
            ("99fcfec4-5260-101b-bbcb-00aa0021347a", 5, "IObjectExporter", "ServerAlive2"),
            ("e1af8308-5d1f-11c9-91a4-08002b14a0fa", 3, "epmapper", "ept_map"),
        ];

        for (uuid, number, endpoint, name) in expected {
            assert_eq!(operation(uuid, number), Some((endpoint, Some(name))));
        }
    }

    #[test]
    fn every_line_of_the_table_counts() {
        let lines = include_str!("interfaces.txt").lines();
        let opening = lines.filter(|line| line.as_bytes().get(8) == Some(&b'-'));

        assert_eq!(opening.count(), INTERFACES.len());
        assert!(INTERFACES.values().all(|interface| interface.operations.len() <= 128));
    }

    #[test]
    fn a_number_that_is_not_used_has_no_name() {
        assert_eq!(operation("df1941c5-fe89-4e79-bf10-463657acf44d", 10), Some(("efsrpc", None)));
        assert_eq!(operation("367abb81-9844-35f1-ad32-98f038001003", 57), Some(("svcctl", None)));
        assert_eq!(operation("367abb81-9844-35f1-ad32-98f038001003", 999), Some(("svcctl", None)));
    }

    #[test]
    fn a_pipe_leads_to_its_usual_interface() {
        let svcctl = Uuid::parse("367abb81-9844-35f1-ad32-98f038001003");

        assert_eq!(by_pipe("svcctl"), svcctl);
        assert_eq!(by_pipe("\\SVCCTL"), svcctl);
        assert_eq!(by_pipe("\\pipe\\svcctl"), svcctl);
        assert_eq!(by_pipe("lsass"), None);
        assert!(by_uuid(svcctl.unwrap()).is_some());
    }
}
