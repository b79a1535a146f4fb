export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/*
 * Each shell asks `banger complete -- WORDS…`, the last word being the one under the cursor. It answers a line for
 * each candidate, `WORD<tab>DESCRIPTION`, and a last line `:file`, `:folder` or `:none` that says whether the
 * shell's own completion of paths is to go on, behind the `--option=` and the `scheme:` that the word begins with.
 * Nothing of the grammar is in the scripts: they never grow old.
 */

/**
 * Bash splits words at `:` and `=` (COMP_WORDBREAKS) and replaces only what follows the last of them, so the
 * command line is split at blanks here, and what bash keeps is cut off each candidate.
 */
const bash = `# bash completion for banger: source it, or put it as banger into ~/.local/share/bash-completion/completions
_banger() {
  local line=\${COMP_LINE:0:COMP_POINT} words word reply last kept= one
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  word=\${words[\${#words[@]} - 1]}
  mapfile -t reply < <("\${words[0]}" complete -- "\${words[@]:1}" 2>/dev/null)
  ((\${#reply[@]})) || return 0
  last=\${reply[\${#reply[@]} - 1]}
  unset 'reply[\${#reply[@]} - 1]'
  [[ $word == *[:=]* ]] && kept=\${word%"\${word##*[:=]}"}
  COMPREPLY=()
  for one in "\${reply[@]}"; do
    one=\${one%%$'\\t'*}
    COMPREPLY+=("\${one#"$kept"}")
  done
  case $last in
    :file) compopt -o filenames; mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "\${word#"$kept"}") ;;
    :folder) compopt -o filenames; mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "\${word#"$kept"}") ;;
  esac
}
complete -F _banger banger
`;

const zsh = `#compdef banger
# zsh completion for banger: put it as _banger into a folder of $fpath, or source it
_banger() {
  local -a reply described
  local one name told MATCH MBEGIN MEND
  reply=("\${(@f)$("\${words[1]}" complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  for one in "\${(@)reply[1,-2]}"; do
    name=\${one%%$'\\t'*}
    told=\${one#*$'\\t'}
    described+=("\${name//:/\\\\:}:$told")
  done
  (( $#described )) && _describe -t values banger described
  [[ $reply[-1] != :none && $PREFIX =~ '^(--[a-z-]+=)?([a-z-]+:)?' ]] && compset -p $#MATCH
  case $reply[-1] in
    :file) _files ;;
    :folder) _files -/ ;;
  esac
}
if [ "$funcstack[1]" = _banger ]; then _banger "$@"; else compdef _banger banger; fi
`;

const fish = `# fish completion for banger: put it as banger.fish into ~/.config/fish/completions, or source it
function __banger_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l reply ($words[1] complete -- $words[2..-1] 2>/dev/null)
    test (count $reply) -gt 0; or return
    for one in $reply[1..-2]
        echo $one
    end
    set -l kept (string match -r -- '^(?:--[a-z-]+=)?(?:[a-z-]+:)?' $words[-1])
    set -l path (string sub -s (math (string length -- "$kept") + 1) -- $words[-1])
    switch $reply[-1]
        case :file
            __fish_complete_path $path | string replace -r -- '^' "$kept"
        case :folder
            __fish_complete_directories $path | string replace -r -- '^' "$kept"
    end
end
complete -c banger -f -a '(__banger_complete)'
`;

export const completionScripts: Readonly<Record<Shell, string>> = { bash, zsh, fish };
