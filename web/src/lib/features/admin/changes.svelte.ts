/** Counts what was changed in the configuration, so that lists beside a form read anew. */
class Changes {
  count = $state(0);
  note(): void {
    this.count += 1;
  }
}

export const changes = new Changes();
