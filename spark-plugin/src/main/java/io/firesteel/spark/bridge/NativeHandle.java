package io.firesteel.spark.bridge;

import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongConsumer;
import java.util.function.LongFunction;

/**
 * The number of something native, which one thread works with and any other may cancel or close.
 *
 * <p>Work and closing exclude each other, so that nothing is freed under a running call; a cancel waits for neither.
 */
final class NativeHandle {
  private final String name;
  private final LongConsumer cancelling;
  /** Held while native code runs, so that a close from elsewhere waits. */
  private final ReentrantLock running = new ReentrantLock();
  /** Guards the number alone, so that a cancel need not wait. */
  private final Object numberLock = new Object();
  private long number;

  /**
   * @param name whose it is, for messages
   * @param cancelling makes what runs under a number stop soon
   */
  NativeHandle(long number, String name, LongConsumer cancelling) {
    this.number = number;
    this.name = name;
    this.cancelling = cancelling;
  }

  /** Works with the number; throws {@link IllegalStateException} if it is closed. Work may be nested. */
  <T> T use(LongFunction<T> work) {
    running.lock();
    try {
      long open = openNumber();
      if (open == 0) {
        throw new IllegalStateException(name + " is closed");
      }
      return work.apply(open);
    } finally {
      running.unlock();
    }
  }

  /** Looks with the number, or gives {@code closed} if it is closed. */
  <T> T look(LongFunction<T> work, T closed) {
    running.lock();
    try {
      long open = openNumber();
      return open == 0 ? closed : work.apply(open);
    } finally {
      running.unlock();
    }
  }

  private long openNumber() {
    synchronized (numberLock) {
      return number;
    }
  }

  /** Makes what is running stop soon, and everything later fail. Nothing if closed. */
  void cancel() {
    synchronized (numberLock) {
      if (number != 0) {
        cancelling.accept(number);
      }
    }
  }

  /** Cancels, waits for what is running, and closes; nothing if that was done before. */
  void close(LongConsumer closing) {
    cancel();
    running.lock();
    try {
      long open;
      synchronized (numberLock) {
        open = number;
        number = 0;
      }
      if (open != 0) {
        closing.accept(open);
      }
    } finally {
      running.unlock();
    }
  }
}
