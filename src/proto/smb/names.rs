//! What commands, functions, statuses and dialects are called: [MS-SMB2] 2.2.1, [MS-CIFS] 2.2.2,
//! [MS-ERREF] 2.3, in the words of Zeek.

/// A command of SMB2 and later.
pub(super) const fn command2(command: u16) -> &'static str {
    match command {
        0 => "NEGOTIATE_PROTOCOL",
        1 => "SESSION_SETUP",
        2 => "LOGOFF",
        3 => "TREE_CONNECT",
        4 => "TREE_DISCONNECT",
        5 => "CREATE",
        6 => "CLOSE",
        7 => "FLUSH",
        8 => "READ",
        9 => "WRITE",
        10 => "LOCK",
        11 => "IOCTL",
        12 => "CANCEL",
        13 => "ECHO",
        14 => "QUERY_DIRECTORY",
        15 => "CHANGE_NOTIFY",
        16 => "QUERY_INFO",
        17 => "SET_INFO",
        18 => "OPLOCK_BREAK",
        _ => "unknown",
    }
}

/// A command of SMB1.
pub(super) const fn command1(command: u8) -> &'static str {
    match command {
        0x00 => "CREATE_DIRECTORY",
        0x01 => "DELETE_DIRECTORY",
        0x02 => "OPEN",
        0x03 => "CREATE",
        0x04 => "CLOSE",
        0x05 => "FLUSH",
        0x06 => "DELETE",
        0x07 => "RENAME",
        0x08 => "QUERY_INFORMATION",
        0x09 => "SET_INFORMATION",
        0x0a => "READ",
        0x0b => "WRITE",
        0x0c => "LOCK_BYTE_RANGE",
        0x0d => "UNLOCK_BYTE_RANGE",
        0x0e => "CREATE_TEMPORARY",
        0x0f => "CREATE_NEW",
        0x10 => "CHECK_DIRECTORY",
        0x11 => "PROCESS_EXIT",
        0x12 => "SEEK",
        0x13 => "LOCK_AND_READ",
        0x14 => "WRITE_AND_UNLOCK",
        0x1a => "READ_RAW",
        0x1b => "READ_MPX",
        0x1c => "READ_MPX_SECONDARY",
        0x1d => "WRITE_RAW",
        0x1e => "WRITE_MPX",
        0x1f => "WRITE_MPX_SECONDARY",
        0x20 => "WRITE_COMPLETE",
        0x21 => "QUERY_SERVER",
        0x22 => "SET_INFORMATION2",
        0x23 => "QUERY_INFORMATION2",
        0x24 => "LOCKING_ANDX",
        0x25 => "TRANSACTION",
        0x26 => "TRANSACTION_SECONDARY",
        0x27 => "IOCTL",
        0x28 => "IOCTL_SECONDARY",
        0x29 => "COPY",
        0x2a => "MOVE",
        0x2b => "ECHO",
        0x2c => "WRITE_AND_CLOSE",
        0x2d => "OPEN_ANDX",
        0x2e => "READ_ANDX",
        0x2f => "WRITE_ANDX",
        0x30 => "NEW_FILE_SIZE",
        0x31 => "CLOSE_AND_TREE_DISC",
        0x32 => "TRANSACTION2",
        0x33 => "TRANSACTION2_SECONDARY",
        0x34 => "FIND_CLOSE2",
        0x35 => "FIND_NOTIFY_CLOSE",
        0x70 => "TREE_CONNECT",
        0x71 => "TREE_DISCONNECT",
        0x72 => "NEGOTIATE",
        0x73 => "SESSION_SETUP_ANDX",
        0x74 => "LOGOFF_ANDX",
        0x75 => "TREE_CONNECT_ANDX",
        0x80 => "QUERY_INFORMATION_DISK",
        0x81 => "SEARCH",
        0x82 => "FIND",
        0x83 => "FIND_UNIQUE",
        0x84 => "FIND_CLOSE",
        0xa0 => "NT_TRANSACT",
        0xa1 => "NT_TRANSACT_SECONDARY",
        0xa2 => "NT_CREATE_ANDX",
        0xa4 => "NT_CANCEL",
        0xa5 => "NT_RENAME",
        0xc0 => "OPEN_PRINT_FILE",
        0xc1 => "WRITE_PRINT_FILE",
        0xc2 => "CLOSE_PRINT_FILE",
        0xc3 => "GET_PRINT_QUEUE",
        0xd8 => "READ_BULK",
        0xd9 => "WRITE_BULK",
        0xda => "WRITE_BULK_DATA",
        _ => "unknown",
    }
}

/// A function of TRANSACTION, which works on pipes ([MS-CIFS] 2.2.5).
pub(super) fn pipe_function(function: u16) -> String {
    let name = match function {
        0x01 => "SET_NMPIPE_STATE",
        0x11 => "RAW_READ_NMPIPE",
        0x21 => "QUERY_NMPIPE_STATE",
        0x22 => "QUERY_NMPIPE_INFO",
        0x23 => "PEEK_NMPIPE",
        0x26 => "TRANSACT_NMPIPE",
        0x31 => "RAW_WRITE_NMPIPE",
        0x36 => "READ_NMPIPE",
        0x37 => "WRITE_NMPIPE",
        0x53 => "WAIT_NMPIPE",
        0x54 => "CALL_NMPIPE",
        other => return format!("unknown-trans-sub-cmd-{other}"),
    };
    name.to_owned()
}

/// A function of TRANSACTION2, which works on files ([MS-CIFS] 2.2.6).
pub(super) fn file_function(function: u16) -> String {
    let name = match function {
        0x00 => "OPEN2",
        0x01 => "FIND_FIRST2",
        0x02 => "FIND_NEXT2",
        0x03 => "QUERY_FS_INFORMATION",
        0x04 => "SET_FS_INFORMATION",
        0x05 => "QUERY_PATH_INFORMATION",
        0x06 => "SET_PATH_INFORMATION",
        0x07 => "QUERY_FILE_INFORMATION",
        0x08 => "SET_FILE_INFORMATION",
        0x09 => "FSCTL",
        0x0a => "IOCTL",
        0x0b => "FIND_NOTIFY_FIRST",
        0x0c => "FIND_NOTIFY_NEXT",
        0x0d => "CREATE_DIRECTORY",
        0x0e => "SESSION_SETUP",
        0x10 => "GET_DFS_REFERRAL",
        0x11 => "REPORT_DFS_INCONSISTENCY",
        other => return format!("unknown-trans2-sub-cmd-{other}"),
    };
    name.to_owned()
}

/// A function of NT_TRANSACT ([MS-CIFS] 2.2.7).
pub(super) fn nt_function(function: u16) -> String {
    let name = match function {
        1 => "CREATE",
        2 => "IOCTL",
        3 => "SET_SECURITY_DESC",
        4 => "NOTIFY_CHANGE",
        5 => "RENAME",
        6 => "QUERY_SECURITY_DESC",
        7 => "QUERY_QUOTA",
        8 => "SET_QUOTA",
        other => return format!("unknown-nt-sub-cmd-{other}"),
    };
    name.to_owned()
}

/// A control code of an ioctl ([MS-FSCC] 2.3, [MS-SMB2] 2.2.31).
pub(super) fn control(code: u32) -> String {
    let name = match code {
        0x0006_0194 => "FSCTL_DFS_GET_REFERRALS",
        0x0006_01b0 => "FSCTL_DFS_GET_REFERRALS_EX",
        0x0009_009c => "FSCTL_GET_OBJECT_ID",
        0x0009_00a4 => "FSCTL_SET_REPARSE_POINT",
        0x0009_00a8 => "FSCTL_GET_REPARSE_POINT",
        0x0009_8208 => "FSCTL_FILE_LEVEL_TRIM",
        0x0011_400c => "FSCTL_PIPE_PEEK",
        0x0011_0018 => "FSCTL_PIPE_WAIT",
        0x0011_c017 => "FSCTL_PIPE_TRANSCEIVE",
        0x0014_0078 => "FSCTL_SRV_REQUEST_RESUME_KEY",
        0x0014_01d4 => "FSCTL_LMR_REQUEST_RESILIENCY",
        0x0014_01fc => "FSCTL_QUERY_NETWORK_INTERFACE_INFO",
        0x0014_0204 => "FSCTL_VALIDATE_NEGOTIATE_INFO",
        0x0014_4064 => "FSCTL_SRV_ENUMERATE_SNAPSHOTS",
        0x0014_41bb => "FSCTL_SRV_READ_HASH",
        0x0014_40f2 => "FSCTL_SRV_COPYCHUNK",
        0x0014_80f2 => "FSCTL_SRV_COPYCHUNK_WRITE",
        other => return format!("unknown-{other:#010x}"),
    };
    name.to_owned()
}

/// A dialect of SMB2 and later.
pub(super) fn dialect(revision: u16) -> String {
    let name = match revision {
        0x0202 => "2.0.2",
        0x0210 => "2.1",
        0x02ff => "2.1+",
        0x0300 => "3.0",
        0x0302 => "3.0.2",
        0x0311 => "3.1.1",
        other => return format!("unknown-{other}"),
    };
    name.to_owned()
}

/// An NT status without its `STATUS_`.
pub(super) fn status(status: u32) -> String {
    let name = match status {
        0x0000_0000 => "SUCCESS",
        0x0000_0103 => "PENDING",
        0x0000_010b => "NOTIFY_CLEANUP",
        0x0000_010c => "NOTIFY_ENUM_DIR",
        0x8000_0005 => "BUFFER_OVERFLOW",
        0x8000_0006 => "NO_MORE_FILES",
        0xc000_0001 => "UNSUCCESSFUL",
        0xc000_0002 => "NOT_IMPLEMENTED",
        0xc000_0003 => "INVALID_INFO_CLASS",
        0xc000_0005 => "ACCESS_VIOLATION",
        0xc000_0008 => "INVALID_HANDLE",
        0xc000_000d => "INVALID_PARAMETER",
        0xc000_000e => "NO_SUCH_DEVICE",
        0xc000_000f => "NO_SUCH_FILE",
        0xc000_0010 => "INVALID_DEVICE_REQUEST",
        0xc000_0011 => "END_OF_FILE",
        0xc000_0016 => "MORE_PROCESSING_REQUIRED",
        0xc000_0022 => "ACCESS_DENIED",
        0xc000_0023 => "BUFFER_TOO_SMALL",
        0xc000_0033 => "OBJECT_NAME_INVALID",
        0xc000_0034 => "OBJECT_NAME_NOT_FOUND",
        0xc000_0035 => "OBJECT_NAME_COLLISION",
        0xc000_0039 => "OBJECT_PATH_INVALID",
        0xc000_003a => "OBJECT_PATH_NOT_FOUND",
        0xc000_003b => "OBJECT_PATH_SYNTAX_BAD",
        0xc000_0043 => "SHARING_VIOLATION",
        0xc000_0054 => "FILE_LOCK_CONFLICT",
        0xc000_0055 => "LOCK_NOT_GRANTED",
        0xc000_0056 => "DELETE_PENDING",
        0xc000_0061 => "PRIVILEGE_NOT_HELD",
        0xc000_0064 => "NO_SUCH_USER",
        0xc000_006a => "WRONG_PASSWORD",
        0xc000_006c => "PASSWORD_RESTRICTION",
        0xc000_006d => "LOGON_FAILURE",
        0xc000_006e => "ACCOUNT_RESTRICTION",
        0xc000_006f => "INVALID_LOGON_HOURS",
        0xc000_0070 => "INVALID_WORKSTATION",
        0xc000_0071 => "PASSWORD_EXPIRED",
        0xc000_0072 => "ACCOUNT_DISABLED",
        0xc000_007e => "RANGE_NOT_LOCKED",
        0xc000_007f => "DISK_FULL",
        0xc000_009a => "INSUFFICIENT_RESOURCES",
        0xc000_00ac => "PIPE_NOT_AVAILABLE",
        0xc000_00ae => "PIPE_BUSY",
        0xc000_00b0 => "PIPE_DISCONNECTED",
        0xc000_00b1 => "PIPE_CLOSING",
        0xc000_00b4 => "INVALID_READ_MODE",
        0xc000_00b5 => "IO_TIMEOUT",
        0xc000_00ba => "FILE_IS_A_DIRECTORY",
        0xc000_00bb => "NOT_SUPPORTED",
        0xc000_00c4 => "UNEXPECTED_NETWORK_ERROR",
        0xc000_00c9 => "NETWORK_NAME_DELETED",
        0xc000_00ca => "NETWORK_ACCESS_DENIED",
        0xc000_00cb => "BAD_DEVICE_TYPE",
        0xc000_00cc => "BAD_NETWORK_NAME",
        0xc000_00d0 => "REQUEST_NOT_ACCEPTED",
        0xc000_0101 => "DIRECTORY_NOT_EMPTY",
        0xc000_0103 => "NOT_A_DIRECTORY",
        0xc000_0120 => "CANCELLED",
        0xc000_0121 => "CANNOT_DELETE",
        0xc000_0128 => "FILE_CLOSED",
        0xc000_014b => "PIPE_BROKEN",
        0xc000_0148 => "INVALID_LEVEL",
        0xc000_015b => "LOGON_TYPE_NOT_GRANTED",
        0xc000_0184 => "INVALID_DEVICE_STATE",
        0xc000_0188 => "LOG_FILE_FULL",
        0xc000_018b => "NO_TRUST_SAM_ACCOUNT",
        0xc000_018d => "TRUSTED_RELATIONSHIP_FAILURE",
        0xc000_0190 => "TRUST_FAILURE",
        0xc000_0192 => "NETLOGON_NOT_STARTED",
        0xc000_0193 => "ACCOUNT_EXPIRED",
        0xc000_019c => "FS_DRIVER_REQUIRED",
        0xc000_0199 => "NOLOGON_WORKSTATION_TRUST_ACCOUNT",
        0xc000_0203 => "USER_SESSION_DELETED",
        0xc000_0205 => "INSUFF_SERVER_RESOURCES",
        0xc000_0225 => "NOT_FOUND",
        0xc000_0224 => "PASSWORD_MUST_CHANGE",
        0xc000_0234 => "ACCOUNT_LOCKED_OUT",
        0xc000_0257 => "PATH_NOT_COVERED",
        0xc000_0275 => "NOT_A_REPARSE_POINT",
        0xc000_035c => "NETWORK_SESSION_EXPIRED",
        other => return format!("unknown-{other}"),
    };
    name.to_owned()
}

/// A status of the days before NT: a class and a code ([MS-CIFS] 2.2.2.4).
pub(super) fn old_status(class: u8, code: u16) -> String {
    let name = match (class, code) {
        (0, _) => "SUCCESS",
        (1, 1) => "BAD_FUNC",
        (1, 2) => "NO_SUCH_FILE",
        (1, 3) => "OBJECT_PATH_INVALID",
        (1, 5) => "ACCESS_DENIED",
        (1, 6) => "INVALID_HANDLE",
        (2, 1) => "INVALID_SMB",
        (2, 2) => "BAD_PW",
        (2, 4) => "ACCESS_DENIED",
        (2, 5) => "SMB_BAD_TID",
        (2, 6) => "BAD_NETWORK_NAME",
        (2, 22) => "SMB_BAD_COMMAND",
        (2, 91) => "SMB_BAD_UID",
        _ => return format!("unknown-{class}-{code}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_statuses_as_zeek_does() {
        assert_eq!(status(0), "SUCCESS");
        assert_eq!(status(0xc000_006d), "LOGON_FAILURE");
        assert_eq!(status(0xc000_035c), "NETWORK_SESSION_EXPIRED");
        assert_eq!(status(0xdead_beef), "unknown-3735928559");
        assert_eq!(old_status(1, 5), "ACCESS_DENIED");
    }

    #[test]
    fn names_what_exploits_ask_for() {
        assert_eq!(file_function(0x0e), "SESSION_SETUP");
        assert_eq!(nt_function(0), "unknown-nt-sub-cmd-0");
        assert_eq!(command1(0x33), "TRANSACTION2_SECONDARY");
        assert_eq!(control(0x0011_c017), "FSCTL_PIPE_TRANSCEIVE");
    }
}
