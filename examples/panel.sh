#!/usr/bin/env bash
# Six small systems through the plain lm_eval, on a CPU, in a few minutes:
#
#     bash examples/panel.sh [FOLDER] [SECOND_MODEL]
#
# and the report about them, FOLDER/report/index.html (needs the extra `report`).
# The demonstration model as it is (the reference), in bfloat16, and with its weights rounded to 8, 4 and 3 bits; and
# a second model, by default the demonstration model without its chat template. FOLDER is runs/panel.
set -euo pipefail
folder=${1:-runs/panel}
demo=$(lm-eval-sensitivity demo-model)

count=0

# bars LOG: all of stderr into the log; its progress bars to the terminal, too, where there is one.
bars() {
  [ -t 1 ] || { cat >> "$1"; return; }
  tee -a "$1" | while IFS= read -r -d $'\r' line; do
    [[ $line == *%\|* ]] && printf '\r%.100s\033[K' "${line##*$'\n'}"
  done
  printf '\r\033[K'
}

# measure NAME MODEL_ARGS [lm_eval options]
measure() {
  local name=$1 model=$2
  shift 2
  # A run that was interrupted leaves a folder without results.
  compgen -G "$folder/$name/*/results_*.json" > /dev/null && { echo "$folder/$name is there already"; return; }
  count=$((count + 1))
  echo "== $name ($count of 6; log: $folder/$name.log)"
  lm_eval --tasks prompt_sensitivity --model hf --model_args "pretrained=$model" --device cpu --batch_size 16 \
          --gen_kwargs max_gen_toks=128 --output_path "$folder/$name" --log_samples "$@" \
          2> >(bars "$folder/$name.log") >> "$folder/$name.log" \
    || { tail -n 5 "$folder/$name.log"; exit 1; }
}

mkdir -p "$folder"
reference="{\"reference\": \"$folder/demo\"}"
measure demo "$demo,dtype=float32" --apply_chat_template
measure demo-bfloat16 "$demo,dtype=bfloat16" --apply_chat_template --metadata "$reference"
for bits in 8 4 3; do
  [ -d "$folder/models/model-${bits}bit" ] || lm-eval-sensitivity round "$demo" "$folder/models" --bits "$bits"
  measure "demo-$bits-bit" "$folder/models/model-${bits}bit,dtype=float32" --apply_chat_template --metadata "$reference"
done
if [ $# -ge 2 ]; then
  measure second "$2,dtype=float32" --metadata "$reference"
else
  measure second "$demo,dtype=float32" --metadata "$reference"
fi
runs=() labels=()
for name in demo demo-bfloat16 demo-{8,4,3}-bit second; do
  runs+=("$folder/$name") labels+=(--label "$folder/$name=$name")
done
lm-eval-sensitivity report "${runs[@]}" "${labels[@]}" --reference "$folder/demo" --output "$folder/report" --overwrite
