# Sourced by tests/run.sh: clients and servers that the tests drive. They go to target/parts, and come from package registries.

parts=$PWD/target/parts

# psycopg and asyncpg in a virtual environment of their own: HOOP_TEST_PYTHON is its interpreter.
python_drivers() {
    export HOOP_TEST_PYTHON=$parts/python/bin/python
    local wanted="psycopg[binary]==3.2.* asyncpg==0.30.*"
    if [ "$(cat "$parts/python/installed" 2>/dev/null)" != "$wanted" ]; then
        say "installing $wanted"
        command -v python3 >/dev/null && python3 -c 'import venv, ensurepip' 2>/dev/null || apt python3 python3-venv
        rm -rf "$parts/python"
        python3 -m venv "$parts/python"
        # shellcheck disable=SC2086
        "$HOOP_TEST_PYTHON" -m pip install --quiet --disable-pip-version-check $wanted
        printf '%s' "$wanted" >"$parts/python/installed"
    fi
}

# npm's oidc-provider, a certified OpenID provider: HOOP_TEST_OIDC is the folder with its node_modules.
openid_provider() {
    export HOOP_TEST_OIDC=$parts/oidc
    if [ ! -d "$HOOP_TEST_OIDC/node_modules/oidc-provider" ]; then
        say "installing oidc-provider"
        command -v npm >/dev/null || apt nodejs npm
        mkdir -p "$HOOP_TEST_OIDC"
        npm install --prefix "$HOOP_TEST_OIDC" --no-audit --no-fund --silent oidc-provider@9
    fi
}

# What holds a terminal for the tests, what makes certificates, and what sets a program's clock.
terminal_and_certificates() {
    local packages=()
    command -v faketime >/dev/null || packages+=(faketime)
    command -v tmux >/dev/null || packages+=(tmux)
    command -v openssl >/dev/null || packages+=(openssl)
    [ ${#packages[@]} = 0 ] || apt "${packages[@]}"
}

# Shells whose TAB key the tests press, and what checks manual pages.
shells_and_pages() {
    local packages=()
    command -v zsh >/dev/null || packages+=(zsh)
    command -v fish >/dev/null || packages+=(fish)
    command -v mandoc >/dev/null || packages+=(mandoc)
    [ ${#packages[@]} = 0 ] || apt "${packages[@]}"
}

# The Secret Service of GNOME and a D-Bus for it: what keeps keys on a desktop.
keyring_service() {
    local packages=()
    command -v gnome-keyring-daemon >/dev/null || packages+=(gnome-keyring)
    command -v dbus-run-session >/dev/null || packages+=(dbus)
    [ ${#packages[@]} = 0 ] || apt "${packages[@]}"
}

# Keycloak (a zip of Maven Central) with its Java, and Chromium with a driver: for a full run. HOOP_TEST_KEYCLOAK is Keycloak's folder,
# HOOP_TEST_BROWSER the one with playwright-core, HOOP_TEST_CHROMIUM the browser.
keycloak_with_browser() {
    local version=26.0.8 packages=()
    export HOOP_TEST_KEYCLOAK=$parts/keycloak-$version HOOP_TEST_BROWSER=$parts/browser
    command -v java >/dev/null || packages+=(openjdk-17-jre-headless)
    command -v mvn >/dev/null || packages+=(maven)
    command -v unzip >/dev/null || packages+=(unzip)
    command -v chromium >/dev/null || packages+=(chromium)
    [ ${#packages[@]} = 0 ] || apt "${packages[@]}"
    HOOP_TEST_CHROMIUM=$(command -v chromium)
    export HOOP_TEST_CHROMIUM
    if [ ! -x "$HOOP_TEST_KEYCLOAK/bin/kc.sh" ]; then
        say "installing Keycloak $version"
        local artifact=org.keycloak:keycloak-quarkus-dist:$version:zip folder
        folder=$(mktemp -d)
        mvn -q -B dependency:get -Dartifact="$artifact" -Dtransitive=false
        mvn -q -B dependency:copy -Dartifact="$artifact" -DoutputDirectory="$folder"
        mkdir -p "$parts"
        unzip -q "$folder"/keycloak-quarkus-dist-*.zip -d "$parts"
        rm -rf "$folder"
    fi
    if [ ! -d "$HOOP_TEST_BROWSER/node_modules/playwright-core" ]; then
        say "installing playwright-core"
        command -v npm >/dev/null || apt nodejs npm
        mkdir -p "$HOOP_TEST_BROWSER"
        npm install --prefix "$HOOP_TEST_BROWSER" --no-audit --no-fund --silent playwright-core@1
    fi
}
