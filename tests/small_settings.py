"""Settings of small trainings and models that several tests share."""

TEXT = {
    "task": "text",
    "n_tokens": 300,
    "context_length": 16,
    "n_steps": 20,
    "eval_every": 10,
    "n_test_samples": 40,
}
TRANSFORMERS = {
    "rotary": {"positions": "rotary"},
    "attention only": {"mlp": "none", "norm": "none"},
    "no BOS": {"bos": False},
    "no BOS, rotary": {"bos": False, "positions": "rotary", "d_head": 6},
    "alibi": {"positions": "alibi", "n_heads": 4},
    "no BOS, alibi": {"bos": False, "positions": "alibi"},
    "relu, log positions": {
        "mlp": "relu",
        "norm": "none",
        "positions": "log",
        "d_mlp": 24,
        "d_head": 5,
    },
}
