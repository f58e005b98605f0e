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

# What holds a terminal for the tests, and what makes certificates.
terminal_and_certificates() {
    local packages=()
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
