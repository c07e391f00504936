#!/bin/sh
# Speaks assets/prompts/prompts.toml into WAV files of 8 kHz, mono, 16 bit: trimmed, levelled and
# kept to the telephone's band. Only for people who change the texts; the sounds are in the clone.
set -eu
cd "$(dirname "$0")/.."
for tool in espeak-ng sox python3; do
    command -v $tool >/dev/null || { echo "prompts: $tool is missing: apt-get install $tool"; exit 1; }
done
texts=assets/prompts/prompts.toml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# folder, language, name, voice, text; one line each
python3 - "$texts" >"$work/list" <<'PY'
import sys, tomllib
with open(sys.argv[1], "rb") as file:
    texts = tomllib.load(file)
for folder in ("prompts", "speech"):
    for name, languages in texts[folder].items():
        for language, text in languages.items():
            print(folder, language, name, texts["voices"][language], text, sep="\t")
PY

tab=$(printf '\t')
while IFS="$tab" read -r folder language name voice text; do
    mkdir -p "assets/$folder/$language"
    pitch=45
    if [ "$folder" = speech ]; then
        # Customers do not all sound alike.
        pitch=$((25 + $(printf %s "$name$language" | cksum | cut -d' ' -f1) % 50))
    fi
    espeak-ng -v "$voice" -s 150 -p $pitch -a 160 -w "$work/spoken.wav" "$text"
    sox -D -v 0.3 "$work/spoken.wav" -r 8000 -b 16 -c 1 "assets/$folder/$language/$name.wav" \
        highpass 220 lowpass 3500 \
        silence 1 0.02 0.4% reverse silence 1 0.02 0.4% reverse \
        compand 0.01,0.15 6:-60,-50,-24,-14,0,-8 norm -5 pad 0.08 0.12
done <"$work/list"
find assets -name '*.wav' | sort | xargs du -cb | tail -1
