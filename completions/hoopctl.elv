set edit:completion:arg-completer[hoopctl] = { |@words|
    var index = (count $words)
    set index = (- $index 1)

    put (env _CLAP_IFS="\n" _CLAP_COMPLETE_INDEX=(to-string $index) HOOPCTL_COMPLETE="elvish" hoopctl -- $@words) | to-lines
}

