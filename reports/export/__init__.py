"""Results in other people's formats: Parquet and Optuna studies."""
