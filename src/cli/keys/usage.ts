export const usage = `Usage: opamp-supervisor keys generate --key FILE [--algorithm EdDSA|ES256|RS256]
       opamp-supervisor keys sign     --key FILE --audience WHO --expires-in TIME ENTRIES --signature FILE [--body FILE]
       opamp-supervisor keys verify   --public-key FILE ENTRIES --signature FILE
       opamp-supervisor keys rotate   --key FILE --public-key NEW --rotation FILE

Signs remote configurations, for hosts whose supervisor.yaml names the public key in agent.trust.config_keys. Needs no
supervisor: keep the private key on a machine of yours, and away from the OpAMP server.

  generate  a key pair: FILE is the private key (mode 0600), FILE.pub the public one for the hosts
  sign      signs a configuration with all of its entries. What goes to the server besides is one more entry, with the
            content of --signature, the content type
            application/vnd.opamp-supervisor.config-signature, and any name
  verify    checks a signature as a host does, and prints what it says
  rotate    lets a key that counts give the hosts other keys. What goes to the server is an entry with the content of
            --rotation, the name opamp-key-rotation and the content type
            application/vnd.opamp-supervisor.config-key-rotation, in every configuration until each host has had it;
            sign it with them. An edit of agent.trust.config_keys overrules it

ENTRIES, exactly as the server will offer them:
  FILE                 one entry without a name, or
  --entry NAME=FILE    entries with names, or
  --empty              no entry at all: the order to run no Collector
  --content-type TYPE  of them all, text/yaml if not given
  --rotation FILE      a rotation that goes with them; may be repeated

Options:
  --audience WHO       fleet, urn:uuid:INSTANCE-UID or selector:env=prod,region in (eu,us); may be repeated. A selector
                       is over the attributes that a host gives itself (agent.description, host.name, os.type ...)
  --expires-in TIME    such as 12h or 30d; a host that has kept the configuration goes on running it after that
  --not-before TIME    such as 2030-01-31T12:00:00Z
  --serial N           larger than that of every configuration before; the time in seconds if not given. Also of rotate
  --body FILE          writes a body for POST /api/v1/config of opamp-server, to be sent with the content type
                       application/vnd.opamp-supervisor.config-map+json
  --instance-uid UID   for verify: also judge audience and times as that host would, now ...
  --label NAME=VALUE   ... with these attributes; may be repeated
  --help               print this text

Exit codes: 0 done, 1 it could not be done or is not trusted, 2 bad usage
`;
