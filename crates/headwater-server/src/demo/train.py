"""Trains the model that tells who will leave: python train.py FEATURES.csv MODEL --lr 0.01"""

import argparse

import pandas
import tensorflow as tf

BATCH_SIZE = 256
STEPS = 1000


def share(score: tf.Tensor) -> tf.Tensor:
    return 0.5 + 0.5 * tf.nn.softsign(score)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("features")
    parser.add_argument("model")
    parser.add_argument("--lr", type=float, required=True)
    args = parser.parse_args()

    tf.keras.utils.set_random_seed(42)
    frame = pandas.read_csv(args.features)
    labels = frame.pop("churned")
    inputs = frame.drop(columns=["customer_id"])
    layer = tf.keras.layers.Dense(1, activation=share)
    model = tf.keras.Sequential([layer])
    optimizer = tf.keras.optimizers.SGD(learning_rate=args.lr, momentum=0.9)
    model.compile(optimizer=optimizer, loss="binary_crossentropy", metrics=["accuracy"])
    data = tf.data.Dataset.from_tensor_slices((inputs, labels)).shuffle(len(frame))
    batches = data.repeat().batch(BATCH_SIZE)
    model.fit(batches, steps_per_epoch=STEPS, epochs=1)
    model.save(args.model)


if __name__ == "__main__":
    main()
