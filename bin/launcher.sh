# Shared by the launchers, which set: program, home (the package) and flags. Becomes the right Node:
# same pid, and nothing is forked on the usual road, because this time counts in every start.

die() {
  echo "opamp-$program: $1" >&2
  exit 1
}

# The first Node there is: beside the package, installed with it, or hoisted next to it.
for node in "$home"/node/bin/node "$home"/node_modules/node-linux-*/bin/node; do
  [ -x "$node" ] && break
done

if [ ! -x "$node" ]; then
  # As a dependency of another package. Only there may a neighbour's file be trusted.
  case $(CDPATH= cd -P -- "$home/.." && pwd -P) in
    */node_modules)
      for node in "$home"/../node-linux-*/bin/node; do
        [ -x "$node" ] && break
      done
      ;;
  esac
fi

if [ ! -x "$node" ]; then
  node=$(command -v node) || die "found no Node.js: install version 24 or later (https://nodejs.org)"
  version=$("$node" --version)
  major=${version#v}
  [ "${major%%.*}" -ge 24 ] 2>/dev/null ||
    die "$node is ${version:-no working Node.js}, version 24 or later is needed (https://nodejs.org)"
fi

if [ ! -f "$home/dist/$program.cjs" ]; then
  home=$(CDPATH= cd -P -- "$home" && pwd)
  die "$home/dist/$program.cjs is missing: run \"npm run build\" in $home"
fi

# shellcheck disable=SC2086 # The flags are words of their own.
exec "$node" $flags "$home/dist/$program.cjs" "$@"
