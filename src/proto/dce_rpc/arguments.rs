//! The argument that matters in calls that administer: which service, task, key, account, class or
//! file, and what is to be run.
//!
//! Layouts are those of the protocols' own interface definitions: [MS-SCMR], [MS-TSCH], [MS-RRP],
//! [MS-SAMR], [MS-NRPC], [MS-SRVS], [MS-RPRN], [MS-EFSR], [MS-DFSNM], [MS-FSRVP], [MS-WMI],
//! [MS-OAUT].

use super::activation;
use super::epmapper;
use super::ndr::{Arguments, TEXT_LIMIT, strings};
use crate::proto::bytes::{filled, le32, utf16};

/// What a call is about, and what it makes run.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Subject {
    pub(super) object: Option<String>,
    pub(super) command: Option<String>,
}

impl Subject {
    fn object(object: Option<String>) -> Self {
        Self { object: object.and_then(filled), command: None }
    }

    fn command(command: Option<String>) -> Self {
        Self { object: None, command: command.and_then(filled) }
    }
}

/// The subject of an operation with these arguments.
pub(super) fn subject(endpoint: &str, operation: &str, arguments: &[u8]) -> Subject {
    let mut walk = Arguments::new(arguments);
    match endpoint {
        "svcctl" => service(operation, &mut walk),
        "atsvc" if operation == "NetrJobAdd" => Subject::command(job(&mut walk)),
        "ITaskSchedulerService" => task(operation, &mut walk),
        "winreg" => key(operation, &mut walk),
        "samr" | "lsarpc" => account(operation, &mut walk),
        "netlogon" => machine(operation, &mut walk),
        "srvsvc" => share(operation, &mut walk),
        "spoolss" | "IRemoteWinspool" => printer(operation, &mut walk),
        "efsrpc" | "efsrpc2" => Subject::object(file(operation, &mut walk)),
        "FileServerVssAgent" if operation.starts_with("IsPath") => Subject::object(walk.wide()),
        "netdfs" if !matches!(operation, "NetrDfsManagerGetVersion" | "NetrDfsEnum") => {
            Subject::object(walk.wide())
        }
        "epmapper" if operation == "ept_map" => Subject::object(epmapper::wanted(arguments)),
        "IRemoteSCMActivator" => Subject::object(activation::class(arguments)),
        "IActivation" => Subject::object(activation::older_class(arguments)),
        "IWbemServices" => management(operation, arguments),
        "IWbemLevel1Login" if operation == "NTLMLogin" => Subject::object(namespace(arguments)),
        "IDispatch" => automation(operation, arguments),
        _ => Subject::default(),
    }
}

fn service(operation: &str, walk: &mut Arguments<'_>) -> Subject {
    match operation {
        "OpenServiceW" | "GetServiceDisplayNameW" => {
            Subject::object(walk.handle().and_then(|()| walk.wide()))
        }
        "OpenServiceA" => Subject::object(walk.handle().and_then(|()| walk.narrow())),
        "CreateServiceW" | "CreateServiceWOW64W" | "CreateWowService" => {
            let object = walk.handle().and_then(|()| walk.wide());
            let command =
                walk.wide_if_any().and_then(|_| numbers(walk, 4)).and_then(|()| walk.wide());
            Subject { object, command }
        }
        "CreateServiceA" | "CreateServiceWOW64A" => {
            let object = walk.handle().and_then(|()| walk.narrow());
            let command =
                walk.narrow_if_any().and_then(|_| numbers(walk, 4)).and_then(|()| walk.narrow());
            Subject { object, command }
        }
        "ChangeServiceConfigW" => {
            let path =
                walk.handle().and_then(|()| numbers(walk, 3)).and_then(|()| walk.wide_if_any());
            Subject::command(path.flatten())
        }
        "ChangeServiceConfigA" => {
            let path =
                walk.handle().and_then(|()| numbers(walk, 3)).and_then(|()| walk.narrow_if_any());
            Subject::command(path.flatten())
        }
        _ => Subject::default(),
    }
}

/// NetrJobAdd: the server, then AT_INFO with its command ([MS-TSCH] 2.3.4).
fn job(walk: &mut Arguments<'_>) -> Option<String> {
    walk.wide_if_any()?;
    numbers(walk, 3)?;
    walk.wide_if_any()?
}

fn task(operation: &str, walk: &mut Arguments<'_>) -> Subject {
    match operation {
        "SchRpcRegisterTask" => {
            let path = walk.wide_if_any();
            let definition = path.is_some().then(|| walk.rest());
            Subject { object: path.flatten(), command: definition.and_then(executed) }
        }
        "SchRpcHighestVersion"
        | "SchRpcEnumInstances"
        | "SchRpcStopInstance"
        | "SchRpcGetInstanceInfo" => Subject::default(),
        _ => Subject::object(walk.wide()),
    }
}

/// The command and its arguments in a task's XML definition of UTF-16 ([MS-TSCH] 2.5).
fn executed(definition: &[u8]) -> Option<String> {
    let xml = utf16(definition.get(12..)?, definition.len());
    let between = |name: &str| {
        let (_, rest) = xml.split_once(&format!("<{name}>"))?;
        let (value, _) = rest.split_once("</")?;
        Some(value.chars().take(TEXT_LIMIT).collect::<String>())
    };
    let command = between("Command")?;
    Some(match between("Arguments") {
        Some(arguments) => format!("{command} {arguments}"),
        None => command,
    })
}

fn key(operation: &str, walk: &mut Arguments<'_>) -> Subject {
    match operation {
        "BaseRegOpenKey" | "BaseRegCreateKey" | "BaseRegDeleteKey" | "BaseRegDeleteKeyEx"
        | "BaseRegDeleteValue" | "BaseRegSaveKey" | "BaseRegSaveKeyEx" | "BaseRegLoadKey" => {
            Subject::object(walk.handle().and_then(|()| walk.counted_wide()))
        }
        "BaseRegSetValue" => {
            let object = walk.handle().and_then(|()| walk.counted_wide());
            // REG_SZ and REG_EXPAND_SZ are text, whose last zero not every client sends.
            let kind = object.as_ref().and_then(|_| walk.u32());
            let text = matches!(kind, Some(1 | 2)).then(|| walk.bytes()).flatten();
            let command = text.map(|text| utf16(text, TEXT_LIMIT));
            Subject { object, command }
        }
        _ => Subject::default(),
    }
}

fn account(operation: &str, walk: &mut Arguments<'_>) -> Subject {
    match operation {
        "SamrLookupDomainInSamServer"
        | "SamrCreateUserInDomain"
        | "SamrCreateUser2InDomain"
        | "SamrCreateGroupInDomain"
        | "SamrCreateAliasInDomain" => {
            Subject::object(walk.handle().and_then(|()| walk.counted_wide()))
        }
        "SamrLookupNamesInDomain"
        | "LsarLookupNames"
        | "LsarLookupNames2"
        | "LsarLookupNames3"
        | "LsarLookupNames4" => Subject::object(Some(strings(walk.rest(), 8).join(","))),
        "LsarRetrievePrivateData" | "LsarOpenSecret" | "LsarStorePrivateData" => {
            Subject::object(walk.handle().and_then(|()| walk.counted_wide()))
        }
        _ => Subject::default(),
    }
}

/// The account of a computer that sets up a secure channel ([MS-NRPC] 3.5.4.4).
fn machine(operation: &str, walk: &mut Arguments<'_>) -> Subject {
    match operation {
        "NetrServerReqChallenge"
        | "NetrServerAuthenticate"
        | "NetrServerAuthenticate2"
        | "NetrServerAuthenticate3"
        | "NetrServerPasswordSet"
        | "NetrServerPasswordSet2"
        | "NetrServerPasswordGet"
        | "NetrServerTrustPasswordsGet" => {
            Subject::object(walk.wide_if_any().and_then(|_| walk.wide()))
        }
        _ => Subject::default(),
    }
}

fn share(operation: &str, walk: &mut Arguments<'_>) -> Subject {
    match operation {
        "NetrShareDel" | "NetrShareGetInfo" => {
            Subject::object(walk.wide_if_any().and_then(|_| walk.wide()))
        }
        "NetrShareAdd" => {
            let named = walk.wide_if_any().map(|_| strings(walk.rest(), 3)).unwrap_or_default();
            let mut named = named.into_iter();
            Subject { object: named.next(), command: named.next_back() }
        }
        _ => Subject::default(),
    }
}

fn printer(operation: &str, walk: &mut Arguments<'_>) -> Subject {
    match operation {
        "RpcOpenPrinter" | "RpcSplOpenPrinter" | "RpcAsyncOpenPrinter" => {
            Subject::object(walk.wide_if_any().flatten())
        }
        // The server that is to be told of changes: who coerces names its own.
        "RpcRemoteFindFirstPrinterChangeNotification"
        | "RpcRemoteFindFirstPrinterChangeNotificationEx" => {
            let flags = walk.handle().and_then(|()| numbers(walk, 2));
            Subject::object(flags.and_then(|()| walk.wide_if_any()).flatten())
        }
        "RpcAddPrinterDriver" | "RpcAddPrinterDriverEx" | "RpcAsyncAddPrinterDriver" => {
            let named = walk.wide_if_any().map(|_| strings(walk.rest(), 8)).unwrap_or_default();
            // DRIVER_INFO_2 ([MS-RPRN] 2.2.1.5.2): the driver, its environment, then its files.
            let files = named.get(2..).unwrap_or_default().join(" ");
            Subject { object: named.into_iter().next(), command: filled(files) }
        }
        "RpcAddMonitor"
        | "RpcAsyncAddMonitor"
        | "RpcAddPrintProcessor"
        | "RpcAsyncAddPrintProcessor" => {
            let named = strings(walk.rest(), 4);
            Subject { command: named.last().cloned(), object: named.into_iter().next() }
        }
        _ => Subject::default(),
    }
}

fn file(operation: &str, walk: &mut Arguments<'_>) -> Option<String> {
    match operation {
        "EfsRpcAddUsersToFileEx" | "EfsRpcEncryptFileExServ" | "EfsRpcFileKeyInfoEx" => {
            strings(walk.rest(), 1).pop()
        }
        "EfsRpcReadFileRaw" | "EfsRpcWriteFileRaw" | "EfsRpcCloseRaw" | "EfsRpcFlushEfsCache" => {
            None
        }
        _ => walk.wide(),
    }
}

/// IWbemServices ([MS-WMI] 3.1.4.3): a path and a method, or a query.
fn management(operation: &str, arguments: &[u8]) -> Subject {
    let Some(mut walk) = behind_orpcthis(arguments) else { return Subject::default() };
    match operation {
        "ExecMethod" | "ExecMethodAsync" => Subject { object: walk.bstr(), command: walk.bstr() },
        "ExecQuery" | "ExecQueryAsync" | "ExecNotificationQuery" | "ExecNotificationQueryAsync" => {
            Subject::command(walk.bstr().and_then(|_| walk.bstr()))
        }
        "GetObject" | "GetObjectAsync" | "DeleteClass" | "DeleteInstance"
        | "CreateInstanceEnum" | "CreateClassEnum" | "OpenNamespace" => {
            Subject::object(walk.bstr())
        }
        _ => Subject::default(),
    }
}

fn namespace(arguments: &[u8]) -> Option<String> {
    behind_orpcthis(arguments)?.wide_if_any()?
}

/// IDispatch ([MS-OAUT] 3.1.4): names that are looked up, and what a method is given.
fn automation(operation: &str, arguments: &[u8]) -> Subject {
    let Some(walk) = behind_orpcthis(arguments) else { return Subject::default() };
    match operation {
        "GetIDsOfNames" => Subject::object(Some(strings(walk.rest(), 4).join(","))),
        "Invoke" => Subject::command(Some(strings(walk.rest(), 8).join(" "))),
        _ => Subject::default(),
    }
}

fn behind_orpcthis(arguments: &[u8]) -> Option<Arguments<'_>> {
    // Its last field is a pointer to extensions, which nobody sends in a request.
    let has_extensions = le32(arguments, activation::ORPCTHIS - 4)? != 0;
    let mut walk = Arguments::new(arguments);
    walk.skip(activation::ORPCTHIS)?;
    (!has_extensions).then_some(walk)
}

fn numbers(walk: &mut Arguments<'_>, count: usize) -> Option<()> {
    for _ in 0..count {
        walk.u32()?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::ndr::tests::wide;
    use super::*;
    use proptest::prelude::*;

    const HANDLE: [u8; 20] = [7; 20];

    fn told(endpoint: &str, operation: &str, parts: &[&[u8]]) -> (String, String) {
        let subject = subject(endpoint, operation, &parts.concat());
        (subject.object.unwrap_or_default(), subject.command.unwrap_or_default())
    }

    fn says(object: &str, command: &str) -> (String, String) {
        (object.to_owned(), command.to_owned())
    }

    fn counted(text: &str) -> Vec<u8> {
        let length = (2 * text.len() as u16).to_le_bytes();
        [&length[..], &length, &[1, 0, 0, 0], &wide(text)].concat()
    }

    fn bstr(text: &str) -> Vec<u8> {
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let (count, bytes) = (text.len() as u32, units.len() as u32);
        let mut out =
            [b"User", &count.to_le_bytes()[..], &bytes.to_le_bytes(), &count.to_le_bytes()]
                .concat();
        out.extend(units);
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }

    #[test]
    fn tells_the_service_that_is_created_and_what_it_runs() {
        let (name, path) = (wide("BTOBTO"), wide("%COMSPEC% /Q /c echo dir"));

        let with_title = [&HANDLE[..], &name, &[1, 0, 0, 0], &wide("Title"), &[0; 16], &path];
        let without = [&HANDLE[..], &name, &[0; 4], &[0; 16], &path];

        for parts in [&with_title[..], &without] {
            let found = told("svcctl", "CreateServiceW", parts);
            assert_eq!(found, says("BTOBTO", "%COMSPEC% /Q /c echo dir"));
        }
        let opened = told("svcctl", "OpenServiceW", &[&HANDLE, &name]);
        assert_eq!(opened, says("BTOBTO", ""));
        let changed = [&HANDLE[..], &[0; 12], &[1, 0, 0, 0], &path];
        let found = told("svcctl", "ChangeServiceConfigW", &changed);
        assert_eq!(found, says("", "%COMSPEC% /Q /c echo dir"));
    }

    #[test]
    fn tells_the_task_and_what_it_runs() {
        let xml = "<Exec><Command>cmd.exe</Command><Arguments>/c dir</Arguments></Exec>";
        let registered = [&[1, 0, 0, 0][..], &wide("\\Task"), &wide(xml)];
        let added = [&[0; 4][..], &[0; 12], &[1, 0, 0, 0], &wide("cmd /c dir")];

        let found = told("ITaskSchedulerService", "SchRpcRegisterTask", &registered);
        assert_eq!(found, says("\\Task", "cmd.exe /c dir"));
        let found = told("ITaskSchedulerService", "SchRpcRun", &[&wide("\\Task")]);
        assert_eq!(found, says("\\Task", ""));
        assert_eq!(told("atsvc", "NetrJobAdd", &added), says("", "cmd /c dir"));
    }

    #[test]
    fn tells_keys_accounts_and_machines() {
        let key = [&HANDLE[..], &counted("SAM\\SAM")];
        let value = [&HANDLE[..], &counted("Run"), &[1, 0, 0, 0, 2, 0, 0, 0], b"a\0", &[0xbf; 2]];
        let machine = [&[1, 0, 0, 0][..], &wide("\\\\DC"), &wide("DC$")];

        assert_eq!(told("winreg", "BaseRegSaveKey", &key), says("SAM\\SAM", ""));
        assert_eq!(told("winreg", "BaseRegSetValue", &value), says("Run", "a"));
        assert_eq!(told("samr", "SamrCreateUser2InDomain", &key), says("SAM\\SAM", ""));
        let found = told("netlogon", "NetrServerAuthenticate3", &machine);
        assert_eq!(found, says("DC$", ""));
    }

    #[test]
    fn tells_where_a_server_is_sent_to() {
        let away = wide("\\\\192.0.2.1\\x");
        let notify = [&HANDLE[..], &[0; 8], &[1, 0, 0, 0], &away];

        let operation = "RpcRemoteFindFirstPrinterChangeNotificationEx";
        assert_eq!(told("spoolss", operation, &notify), says("\\\\192.0.2.1\\x", ""));
        let found = told("efsrpc2", "EfsRpcOpenFileRaw", &[&away]);
        assert_eq!(found, says("\\\\192.0.2.1\\x", ""));
        let found = told("FileServerVssAgent", "IsPathSupported", &[&away]);
        assert_eq!(found, says("\\\\192.0.2.1\\x", ""));
        let found = told("netdfs", "NetrDfsAddStdRoot", &[&away]);
        assert_eq!(found, says("\\\\192.0.2.1\\x", ""));
    }

    #[test]
    fn tells_the_driver_and_its_files() {
        let driver = [
            &[0; 4][..],
            &[1, 0, 0, 0, 2, 0, 0, 0],
            &wide("1234"),
            &wide("Windows x64"),
            &wide("C:\\a.dll"),
            &wide("\\\\192.0.2.1\\b.dll"),
        ];

        let found = told("spoolss", "RpcAddPrinterDriverEx", &driver);

        assert_eq!(found, says("1234", "C:\\a.dll \\\\192.0.2.1\\b.dll"));
    }

    #[test]
    fn tells_methods_queries_and_names_behind_dcom() {
        let this = [0; 32];
        let method = [&this[..], &bstr("Win32_Process"), &bstr("Create")];
        let query = [&this[..], &bstr("WQL"), &bstr("select * from Win32_Share")];
        let names = [&this[..], &[0; 16], &[1, 0, 0, 0, 1, 0, 0, 0], &wide("ExecuteShellCommand")];

        assert_eq!(told("IWbemServices", "ExecMethod", &method), says("Win32_Process", "Create"));
        let found = told("IWbemServices", "ExecQuery", &query);
        assert_eq!(found, says("", "select * from Win32_Share"));
        let found = told("IDispatch", "GetIDsOfNames", &names);
        assert_eq!(found, says("ExecuteShellCommand", ""));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(data: Vec<u8>) {
            let operations = [
                ("svcctl", "CreateServiceW"), ("svcctl", "CreateServiceA"),
                ("svcctl", "ChangeServiceConfigW"), ("atsvc", "NetrJobAdd"),
                ("ITaskSchedulerService", "SchRpcRegisterTask"), ("winreg", "BaseRegSetValue"),
                ("samr", "SamrLookupNamesInDomain"), ("netlogon", "NetrServerReqChallenge"),
                ("srvsvc", "NetrShareAdd"), ("spoolss", "RpcAddPrinterDriverEx"),
                ("efsrpc", "EfsRpcOpenFileRaw"), ("epmapper", "ept_map"),
                ("IRemoteSCMActivator", "RemoteCreateInstance"), ("IActivation", "RemoteActivation"),
                ("IWbemServices", "ExecMethod"), ("IWbemLevel1Login", "NTLMLogin"),
                ("IDispatch", "Invoke"),
            ];
            for (endpoint, operation) in operations {
                let _ = subject(endpoint, operation, &data);
            }
        }
    }
}
