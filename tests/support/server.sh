#!/bin/sh
# One service of one host in the network of tests/lateral.rs, in the foreground:
#
#   server.sh FOLDER HOST SERVICE
#
# FOLDER holds what all hosts share: passwd, shadow, host_key, authorized_keys. What the host itself
# keeps is in FOLDER/HOST. It runs under `ip netns exec`, so nobody else sees what it mounts.
set -eu
folder=$1 host=$2 service=$3
home=$folder/$host

# The accounts of the network are no accounts of the machine.
mount --bind "$folder/passwd" /etc/passwd
mount --bind "$folder/shadow" /etc/shadow

# Samba asks for the machine's own name, and must not wait for a resolver that nobody reaches from
# here: with an empty file, the question goes to this host, which refuses it at once.
printf '127.0.0.1 localhost %s\n' "$(uname -n)" >"$home/hosts-of-$service"
: >"$home/resolver-of-$service"
[ ! -e /etc/hosts ] || mount --bind "$home/hosts-of-$service" /etc/hosts
[ ! -e /etc/resolv.conf ] || mount --bind "$home/resolver-of-$service" /etc/resolv.conf

case $service in
  smb)
    mkdir -p "$home/samba/private" "$home/public" "$home/windows" "$home/system"
    chmod 777 "$home/public"
    # Encryption is off, as it is between hosts of which one is old: what is encrypted shows nobody
    # what it does. impacket encrypts wherever it can.
    cat >"$home/samba/smb.conf" <<X
[global]
  server role = standalone server
  netbios name = $(echo "$host" | tr . -)
  smb ports = 445
  server smb encrypt = off
  load printers = no
  lock directory = $home/samba
  state directory = $home/samba
  cache directory = $home/samba
  pid directory = $home/samba
  private dir = $home/samba/private
  ncalrpc dir = $home/samba/ncalrpc
  log file = $home/samba/log
  usershare path =
[public]
  path = $home/public
  writable = yes
[C\$]
  path = $home/system
  writable = yes
[ADMIN\$]
  path = $home/windows
  writable = yes
X
    for user in operator office; do
      printf '%s\n%s\n' "$(cat "$folder/password")" "$(cat "$folder/password")" |
        smbpasswd -c "$home/samba/smb.conf" -s -a "$user" >"$home/samba/added"
    done
    exec smbd --foreground --no-process-group --configfile="$home/samba/smb.conf"
    ;;
  ssh)
    # sshd insists on a folder in /run, which here is seen by it alone.
    mount -t tmpfs tmpfs /run
    mkdir -m 755 /run/sshd
    cat >"$home/sshd_config" <<X
HostKey $folder/host_key
AuthorizedKeysFile $folder/authorized_keys
StrictModes no
PermitRootLogin prohibit-password
PidFile none
UsePAM no
UseDNS no
MaxStartups 100
LogLevel QUIET
Subsystem sftp internal-sftp
X
    exec /usr/sbin/sshd -D -f "$home/sshd_config"
    ;;
  redis)
    mkdir -p "$home/redis" "$home/.ssh"
    # Open to everybody, and with the settings that a server of version 6 lets everybody change.
    exec redis-server --bind 0.0.0.0 --protected-mode no --enable-protected-configs yes \
      --dir "$home/redis" --save '' --logfile "$home/redis/log"
    ;;
  ftp)
    mkdir -p "$home/ftp" "$home/empty"
    chmod 777 "$home/ftp"
    # Its filter of system calls does not know those of later kernels.
    cat >"$home/vsftpd.conf" <<X
listen=YES
background=NO
anonymous_enable=NO
local_enable=YES
write_enable=YES
local_root=$home/ftp
secure_chroot_dir=$home/empty
pam_service_name=vsftpd
seccomp_sandbox=NO
X
    # Not in this shell's place: the first process of a namespace of processes inherits orphans, and
    # vsftpd 3.0.3 crashes when one ends that it does not know.
    vsftpd "$home/vsftpd.conf"
    ;;
  *)
    echo "server.sh: no service is called $service" >&2
    exit 2
    ;;
esac
