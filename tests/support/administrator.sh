#!/bin/sh
# A day's work on one server, over and over, for tests/lateral.rs:
#
#   administrator.sh FOLDER SERVER
#
# Each round that went well is a line in FOLDER/rounds; the first tool that fails ends the work.
set -eu
folder=$1 server=$2
cd "$folder"

smb() {
  smbclient --authentication-file=operator.login "//$server/$1" --command="$2"
}

# Somebody mistypes a password in the morning.
curl --silent --show-error --user office:Correct-Hrose-7 "ftp://$server/" || true

while :; do
  smb public 'put report.txt report.txt; ls; get report.txt back.txt; del report.txt'
  smb 'C$' 'put report.txt settings.ini; ls'
  smbclient --authentication-file=operator.login --list="$server"
  rpcclient --authentication-file=operator.login "$server" \
    --command='srvinfo; netshareenumall; enumdomusers; lookupnames office'
  python3 "$IMPACKET/services.py" "$LOGIN@$server" list

  ssh -F ssh_config "root@$server" 'uptime; df'
  ssh -F ssh_config "root@$server" 'cat /etc/os-release; ls -l /etc'
  scp -q -F ssh_config report.txt "root@$server:$folder/$server/copied.txt"

  redis-cli -h "$server" PING
  redis-cli -h "$server" INFO
  redis-cli -h "$server" CONFIG GET dir
  redis-cli -h "$server" CONFIG SET maxmemory 64mb

  curl --silent --show-error --user "office:$PASSWORD" --upload-file report.txt "ftp://$server/"
  curl --silent --show-error --user "office:$PASSWORD" "ftp://$server/"

  date >>rounds
  sleep 1
done
