#!/bin/bash
# A lost database: apply refuses, doctor --rebuild restores the record from what exists, and nothing was touched.
. "$(dirname "$0")/lib.sh"

canary=Kanarienvogel
spec lost <<END
images: { guest: { source: "file:$BUSYBOX" } }
networks:
  net: { subnet: $NET.0/25 }
  back: {}
volumes: { data: {}, spare: {} }
containers:
  web:
    image: guest
    networks: { net: { address: $NET.9 }, back: {} }
    ports: [ "$PORT:80" ]
    volumes: [ "data:/srv/data" ]
    env: { SITE: shop, WORDS: "a = b", DB_PASSWORD: $canary-1 }
    limits: { pids: 100 }
  job: { image: guest, command: [ /bin/busybox, sleep, "1000" ], networks: [ net ] }
  rests: { image: guest, networks: [] }
END
converge 'a set to lose' || exit
check 'one is stopped by hand' fps stop rests --timeout 0
sed -i 's/, spare: {}//' "$FILE"
converge 'a volume that is declared no more'
configs() {
    sha256sum "$ROOT"/var/lib/lxc/*/config | sort
}
before_web=$(pid_of web) before_job=$(pid_of job) before_mac=$(mac_in web eth1) before_address=$(address_of job)
before_configs=$(configs)
inside web sh -c 'echo kept >/srv/data/file; echo kept >/root/file'

check 'the value of a sensitive variable is in no file of the record' test -z "$(grep -rl "$canary" "$ROOT/var/lib/fpsync/state")"
mv "$ROOT/var/lib/fpsync/state" "$ROOT/lost-state"
fails 'apply refuses without its record' 4 fps apply -y -f "$FILE"
like 'and says what helps' "$(fps apply -y -f "$FILE" 2>&1)" 'fpsync doctor --rebuild'
like 'doctor says so, too' "$(fps doctor 2>&1)" 'doctor --rebuild -f FILE'
rebuilt=$(fps doctor --rebuild -o json -f "$FILE")
is 'what exists is on record again' "$(jq -rc '.restored | sort | join(" ")' <<<"$rebuilt")" \
    'container/default/job container/default/rests container/default/web image/default/guest layer/default/job layer/default/rests layer/default/web network/default/back network/default/net volume/default/data volume/default/spare'
is 'nothing marked is left over' "$(jq '.left | length' <<<"$rebuilt")" 0
is 'no config was written' "$(configs)" "$before_configs"
fails 'then there is nothing to do' 0 fps plan -f "$FILE"
is 'init of the one is the same' "$(pid_of web)" "$before_web"
is 'init of the other, too' "$(pid_of job)" "$before_job"
is 'who was stopped by hand is' "$(pid_of rests)" ''
like 'and status says by whom' "$(fps status)" 'stopped by root at '
like 'what is retained can be freed' "$(fps gc --dry-run --force)" 'volume.*default/spare'
check 'it starts when it is asked to' fps start rests
is 'and the note of its stop is gone' "$(ls "$ROOT"/var/lib/lxc/rests.*/stopped 2>/dev/null)" ''

sed -i 's/SITE: shop/SITE: mall/' "$FILE"
converge 'a change after it'
is 'its MAC was kept' "$(mac_in web eth1)" "$before_mac"
is 'the other was left alone' "$(pid_of job)" "$before_job"
is 'and has its leased address' "$(address_of job)" "$before_address"
is 'volume and layer are there' "$(inside web cat /srv/data/file /root/file | tr '\n' ' ')" 'kept kept '
