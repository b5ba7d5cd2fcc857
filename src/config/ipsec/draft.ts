// A section of swanctl.conf in the making, from a conn: its settings keep the places that they have in ipsec.conf, and
// its words are ipsec.conf's.

import type { Place } from '../../ike/connection.ts';
import type { Setting } from '../cursor.ts';
import type { Section } from '../settings.ts';

export class Draft implements Section {
  readonly name: string;
  readonly place: Place;
  readonly settings = new Map<string, Setting>();
  readonly sections = new Map<string, Draft>();
  readonly references = [];
  readonly words = new Map<string, string>();
  readonly #from: Section;

  constructor(name: string, from: Section) {
    this.name = name;
    this.place = from.place;
    this.#from = from;
  }

  section(name: string): Draft {
    const section = new Draft(name, this.#from);
    this.sections.set(name, section);
    return section;
  }

  /** `option` is what `word` of the conn says, as it stands there; or nothing. */
  take(option: string, word: string): void {
    const setting = this.#from.settings.get(word);
    this.call(option, word);
    if (setting) this.settings.set(option, setting);
  }

  /** `option` is `text`, which follows from `word` of the conn, if that is written, or from what it is by default. */
  set(option: string, word: string, text: string): void {
    this.put(option, word, text, this.#from.settings.get(word));
  }

  /** The same with a setting from elsewhere. */
  put(option: string, word: string, text: string, setting: Setting | undefined): void {
    this.words.set(option, setting?.written ?? word);
    this.settings.set(option, {
      text,
      key: setting?.key ?? this.place,
      place: setting?.place ?? this.place,
      // Columns can still be told where something was only added at the end.
      verbatim: setting?.text !== undefined && setting.verbatim && text.startsWith(setting.text),
      cut: false,
    });
  }

  /** What `option` is called, where it is not written. */
  call(option: string, word: string): void {
    this.words.set(option, this.#from.settings.get(word)?.written ?? word);
  }
}
