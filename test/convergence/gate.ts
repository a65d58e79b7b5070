/**
 * What stands between one life of an agent and the world. Once it is closed, the agent is as good as killed: nothing
 * that it waits for ever comes, and nothing that it asks for happens.
 */
export interface Gate {
  isOpen(): boolean;
  close(): void;
  /** One call of the agent into the world: an await of its own, at which it can be killed. */
  call<T>(act: () => Promise<T>): Promise<T>;
  /** Closes it at the n-th call from now on: before the call has any effect, or after all of it. */
  closeAt(calls: number, phase: "before" | "after"): void;
  /** Takes that back. */
  spare(): void;
}

export function gate(onClosedByCall: () => void): Gate {
  let isOpen = true;
  let left: { calls: number; readonly phase: "before" | "after" } | undefined;

  const closeByCall = (): void => {
    isOpen = false;
    onClosedByCall();
  };
  const never = <T>(): Promise<T> => new Promise(() => {});

  return {
    isOpen: () => isOpen,
    close() {
      isOpen = false;
    },
    closeAt(calls, phase) {
      left = { calls, phase };
    },
    spare() {
      left = undefined;
    },
    call<T>(act: () => Promise<T>): Promise<T> {
      if (!isOpen) return never();
      let isLast = false;
      if (left !== undefined) {
        left.calls -= 1;
        isLast = left.calls === 0;
        if (isLast && left.phase === "before") {
          closeByCall();
          return never();
        }
      }
      return new Promise((resolve, reject) => {
        const settle = (say: () => void): void => {
          if (!isOpen) return;
          if (isLast) closeByCall();
          else say();
        };
        act().then(
          (value) => settle(() => resolve(value)),
          (error: unknown) => settle(() => reject(error)),
        );
      });
    },
  };
}
